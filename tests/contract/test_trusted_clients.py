"""The file of trusted clients: read whole, every fault named, and what it says is what holds (T14, T16, T93)."""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from cds_service.clients.signing import SigningKey
from cds_service.clients.trusted import Known, TrustedClient, read_trusted_clients
from cds_service.errors import InvalidSettings
from cds_service.fhir.addresses import fhir_server
from tests.callers import ISSUER, key, public

Json = dict[str, Any]
KNOWN = Known(profiles=("generic", "epic"), services=("crs-patient-view", "crs-order-sign"))


def inline(jwk: Json) -> str:
    """A key as TOML."""
    return "{ " + ", ".join(f"{name} = {json.dumps(value)}" for name, value in jwk.items()) + " }"


def jwk(**changed: Any) -> Json:
    """The public key of the tests, each member changed or, where it is None, left out."""
    [found] = public(key("ES384"), alg=True)["keys"]
    return {name: value for name, value in (found | changed).items() if value is not None}


def rsa(bits: int) -> Json:
    """A public key of this length."""
    return SigningKey.of(generate_private_key(65537, bits), "short").public_jwk


SOUND = f'[[client]]\nid = "hospital"\nissuer = "{ISSUER}"\nkeys = [{inline(jwk())}]\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "clients.toml"
    file.write_text(text, encoding="utf-8")
    return file


def read(folder: Path, text: str) -> tuple[TrustedClient, ...]:
    return read_trusted_clients(written(folder, text), KNOWN)


def test_a_client_is_what_its_entry_says(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps(public(key("RS384"), key("ES256"))))
    [client] = read(
        tmp_path,
        f"""
        [[client]]
        id = "hospital"
        issuer = "{ISSUER}"
        tenants = ["north", "south"]
        jku = "https://ehr.example/keys [10.1.0.0/16]"
        keys = [{inline(jwk())}]
        keys_file = "keys.json"
        algorithms = ["ES384", "RS384", "PS384", "ES256"]
        audiences = ["sand_man"]
        profile = "epic"
        fhir_servers = ["https://ehr.example/fhir [10.1.0.0/16 10.2.0.7]", "https://other.example/r4"]
        services_off = ["crs-order-sign"]
        """,
    )
    assert (client.id, client.issuer, client.names) == ("hospital", ISSUER, ((ISSUER, "north"), (ISSUER, "south")))
    assert (client.jku, client.jku_networks) == ("https://ehr.example/keys", (ip_network("10.1.0.0/16"),))
    assert set(client.keys) == {
        ("hospital-ES384", "ES384"),
        ("hospital-RS384", "RS384"),
        ("hospital-RS384", "PS384"),
        ("hospital-ES256", "ES256"),
    }
    assert (client.audiences, client.profile, client.services_off) == (("sand_man",), "epic", {"crs-order-sign"})
    assert client.fhir_servers == (
        fhir_server("https://ehr.example/fhir [10.1.0.0/16 10.2.0.7]"),
        fhir_server("https://other.example/r4"),
    )


def test_what_an_entry_leaves_out_is_the_narrowest(tmp_path: Path) -> None:
    [client] = read(tmp_path, SOUND)
    assert client.names == ((ISSUER, None),)
    assert (client.algorithms, client.audiences, client.fhir_servers) == (("ES384", "RS384"), (), ())
    assert (client.jku, client.profile, client.services_off) == (None, None, frozenset())


FAULTY: list[tuple[str, str, str]] = [
    ("an unknown key", SOUND + 'audience = "x"\n', "client 1 (hospital): audience: is not a key that is read here"),
    ("no id", SOUND.replace('id = "hospital"\n', ""), "client 1: id: is missing"),
    ("no issuer", SOUND.replace("issuer =", "#"), "issuer: is missing"),
    ("an id in capitals", SOUND.replace("hospital", "Hospital", 1), "id: "),
    ("the id of callers who are not checked", SOUND.replace('"hospital"', '"unchecked"', 1), "need not prove"),
    ("an issuer with a space", SOUND.replace(ISSUER, f"{ISSUER} x"), "issuer: "),
    ("an empty issuer", SOUND.replace(ISSUER, ""), "issuer: "),
    ("no keys", SOUND.replace("keys =", "#"), "give its keys"),
    ("tenants as text", SOUND + 'tenants = "north"\n', "tenants: must be a list"),
    ("alg none", SOUND + 'algorithms = ["none"]\n', "algorithms.0: 'none' where"),
    ("alg HS256", SOUND + 'algorithms = ["HS256"]\n', "algorithms.0: 'HS256' where"),
    ("a key of another algorithm", SOUND + 'algorithms = ["RS384"]\n', "key 1: it fits none of the algorithms RS384"),
    ("an unknown profile", SOUND + 'profile = "epik"\n', "profile: 'epik' is not one of epic, generic"),
    ("an unknown service", SOUND + 'services_off = ["crs"]\n', "services_off: 'crs' is not one of"),
    ("a FHIR server over plain HTTP", SOUND + 'fhir_servers = ["http://ehr.example/fhir"]\n', "plain HTTP"),
    ("a FHIR server that is none", SOUND + 'fhir_servers = ["ehr.example"]\n', "fhir_servers: 'ehr.example' is not"),
    ("a jku over plain HTTP", SOUND + 'jku = "http://ehr.example/keys"\n', "jku: 'http://ehr.example/keys' would be"),
    ("a jku with a user", SOUND + 'jku = "https://a:b@ehr.example/keys"\n', "jku: "),
    ("an empty jku", SOUND + 'jku = ""\n', "jku: "),
    ("a jku with ranges that are none", SOUND + 'jku = "https://ehr.example/keys [lan]"\n', "'lan' is no address"),
    ("no file of keys", SOUND + 'keys_file = "none.json"\n', "keys_file: none.json holds no JSON Web Key Set"),
    ("a file of keys that is none", SOUND + 'keys_file = "clients.toml"\n', "keys_file: clients.toml holds no"),
    ("an id twice", SOUND + SOUND.replace(ISSUER, "https://b.example"), "'hospital' is that of client hospital too"),
    ("an issuer twice", SOUND + SOUND.replace('"hospital"', '"b"', 1), f"client b: '{ISSUER}' is that of client hosp"),
    ("an entry that is no table", 'client = ["x"]\n', "client 1: entry: must be a table"),
]


@pytest.mark.parametrize(("text", "words"), [row[1:] for row in FAULTY], ids=[row[0] for row in FAULTY])
def test_t93_a_fault_in_the_file_of_clients_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        read(tmp_path, text)
    assert words in refused.value.message
    assert refused.value.message.startswith(f"{tmp_path / 'clients.toml'} has 1 fault(s):")


def test_t93_all_faults_are_named_together(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings) as refused:
        read(tmp_path, SOUND + 'profile = "x"\nservices_off = ["y"]\n[[client]]\nid = 7\n' + SOUND)
    assert [line.split(":")[0].strip() for line in refused.value.message.splitlines()[1:]] == [
        "client 1 (hospital)",
        "client 1 (hospital)",
        "client 2",
        "client 2",
        "client hospital",
        "client hospital",
    ]


@pytest.mark.parametrize(
    "text", ["", "client = 1\n", "client = []\n", "[client]\nid = 'x'\n", SOUND + "[other]\n", "["]
)
def test_t93_a_file_without_clients_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"CRS_CDS_TRUSTED_CLIENTS: .*clients\.toml"):
        read(tmp_path, text)


def test_t93_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be read"):
        read_trusted_clients(tmp_path / "none.toml", KNOWN)


def test_two_clients_of_one_issuer_are_told_apart_by_their_tenants(tmp_path: Path) -> None:
    second = SOUND.replace('"hospital"', '"second"', 1) + 'tenants = ["south"]\n'
    first, other = read(tmp_path, SOUND + 'tenants = ["north"]\n' + second)
    assert (first.names, other.names) == (((ISSUER, "north"),), ((ISSUER, "south"),))
    with pytest.raises(InvalidSettings, match="north' is that of client hospital too"):
        read(tmp_path, SOUND + 'tenants = ["north"]\n' + second.replace("south", "north"))


UNUSABLE: list[tuple[str, Json, str]] = [
    ("oct", {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k"}, "only public keys of kty EC or RSA"),
    ("OKP", {"kty": "OKP", "crv": "Ed25519", "x": "AAAA", "kid": "k"}, "only public keys of kty EC or RSA"),
    ("private", jwk(d="AAAA"), "it holds a private key"),
    ("no kid", jwk(kid=None), "it needs a kid"),
    ("an empty kid", jwk(kid=""), "it needs a kid"),
    ("a long kid", jwk(kid="k" * 256), "it needs a kid"),
    ("for encryption", jwk(use="enc"), "it is not for signatures"),
    ("for other operations", jwk(key_ops=["encrypt"]), "it is not for signatures"),
    ("another curve", jwk(crv="P-521"), "it fits none of the algorithms"),
    ("HS256", jwk(alg="HS256"), "it fits none of the algorithms"),
    ("of an algorithm of another kind", jwk(alg="RS384"), "it fits none of the algorithms"),
    ("not on the curve", jwk(x=jwk()["y"]), "its numbers are no public key"),
    ("no numbers", jwk(x=None), "its numbers are no public key"),
    ("numbers that are none", jwk(x="!"), "its numbers are no public key"),
    ("RSA of 1024 bits", rsa(1024), "an RSA key has 2048 to 8192 bits"),
]


@pytest.mark.parametrize(("unusable", "words"), [row[1:] for row in UNUSABLE], ids=[row[0] for row in UNUSABLE])
def test_t14_a_key_that_proves_nothing_is_refused_at_start(tmp_path: Path, unusable: Json, words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        read(tmp_path, SOUND.replace(inline(jwk()), inline(unusable)))


def test_t14_two_keys_of_one_name_are_refused_at_start(tmp_path: Path) -> None:
    [other] = public(key("ES384", "other"))["keys"]
    with pytest.raises(InvalidSettings, match="key 2: another key has the same kid"):
        read(tmp_path, SOUND.replace(inline(jwk()), f"{inline(jwk())}, {inline(other | {'kid': jwk()['kid']})}"))


def test_a_key_stands_in_no_representation_of_its_client(tmp_path: Path) -> None:
    [client] = read(tmp_path, SOUND)
    assert jwk()["x"] not in repr(client)
