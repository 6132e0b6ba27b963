"""The token of a client: a bad one gets the same 401 at every address, a good one is let in (SEC-3 to SEC-12)."""

import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cds_service.clients.signing import SigningKey
from cds_service.conformance.judge import check_operation_outcome
from cds_service.store.memory import Memory
from tests.callers import (
    AT,
    DISCOVERY,
    FEEDBACK,
    ISSUER,
    PUBLIC,
    SERVICE,
    bearer,
    claims,
    encoded,
    key,
    public,
    sealed,
    token,
    trusted,
)
from tests.conftest import MakeApp
from tests.records import HOUR
from tests.server import NOW

Json = dict[str, Any]
OTHER = "https://other.example"
JKU = "https://pinned.example/keys"
THIEF = "thief"


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    """A service with three clients; the second has a pinned address of keys, the third two tenants."""
    ours = trusted()
    pinned = trusted(key("ES384", "pinned"), id="pinned", issuer=OTHER, jku=JKU)
    tenants = trusted(key("ES384", "vendor"), id="vendor", issuer="https://vendor.example", tenants=("north", "south"))
    return make_app(auth="required", public_url=PUBLIC, clients=[ours, pinned, tenants])


def stolen() -> SigningKey:
    """A key that nobody trusts, under the id of one that is trusted."""
    return SigningKey(key("ES384", THIEF).private, key().kid)


def unsigned(url: str, alg: str, signature: str = "") -> str:
    head = json.dumps({"alg": alg, "kid": key().kid, "typ": "JWT"}).encode()
    return f"{encoded(head)}.{encoded(json.dumps(claims(url)).encode())}.{signature}"


def symmetric(url: str, alg: str, secret: bytes) -> str:
    """Signed with the public key as if it were a secret."""
    text = unsigned(url, alg).removesuffix(".")
    digest = hmac.new(secret, text.encode(), {"HS256": hashlib.sha256, "HS384": hashlib.sha384}[alg]).digest()
    return f"{text}.{encoded(digest)}"


def pem() -> bytes:
    return key("RS384").private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def der(url: str) -> str:
    """A good signature in another form."""
    text = token(url).rpartition(".")[0]
    return f"{text}.{encoded(key().private.sign(text.encode(), ECDSA(SHA384())))}"  # type: ignore[call-arg,arg-type]


def payload(url: str, find: str, put: str) -> str:
    """A signed token with other words in its claims."""
    head = json.dumps({"alg": "ES384", "kid": key().kid}).encode()
    written = json.dumps(claims(url))
    assert find in written
    return sealed(head, written.replace(find, put, 1).encode(), key())


def swapped(url: str, part: int) -> str:
    """Two good tokens, of which one lends a part to the other."""
    one, other = token(url).split("."), token(url, header={"cty": "x"}, sub="more").split(".")
    one[part] = other[part]
    return ".".join(one)


def headed(url: str, head: bytes) -> str:
    return sealed(head, json.dumps(claims(url)).encode(), key())


def loaded(body: bytes) -> str:
    return sealed(json.dumps({"alg": "ES384", "kid": key().kid}).encode(), body, key())


Bad = Callable[[str], str]
"""A token for an address."""
BAD: dict[str, tuple[str, Bad]] = {
    # T13: nobody signed
    "t13 alg none": ("no signed token", lambda url: unsigned(url, "none")),
    "t13 alg none with a signature": ("key", lambda url: unsigned(url, "none", "c2ln")),
    "t13 alg None": ("key", lambda url: unsigned(url, "None", "c2ln")),
    "t13 alg nOnE": ("key", lambda url: unsigned(url, "nOnE", "c2ln")),
    "t13 alg of a trusted key and no signature": ("no signed token", lambda url: unsigned(url, "ES384")),
    # T14: another algorithm than that of the key
    "t14 HS256 with the public key as PEM": ("key", lambda url: symmetric(url, "HS256", pem())),
    "t14 HS384 with the public key as JWK": (
        "key",
        lambda url: symmetric(url, "HS384", json.dumps(public(key())).encode()),
    ),
    "t14 an EC key that says RS384": ("key", lambda url: token(url, header={"alg": "RS384"})),
    "t14 an RSA key that says ES384": ("key", lambda url: token(url, by=key("RS384"), header={"alg": "ES384"})),
    "t14 an RSA key by an algorithm that is not configured": (
        "key",
        lambda url: token(url, by=key("RS384"), alg="RS256"),
    ),
    "t14 an RSA key by another padding": ("key", lambda url: token(url, by=key("RS384"), alg="PS384")),
    "t14 no alg": ("algorithm", lambda url: token(url, header={"alg": None})),
    "t14 a number as alg": ("algorithm", lambda url: token(url, header={"alg": 384})),
    "t14 a list as alg": ("algorithm", lambda url: token(url, header={"alg": ["ES384"]})),
    "t14 alg in small letters": ("key", lambda url: token(url, header={"alg": "es384"})),
    # T15: for somebody else
    "t15 no aud": ("audience", lambda url: token(url, aud=None)),
    "t15 aud of another service": ("audience", lambda url: token(url, aud="https://elsewhere.example/cds-services")),
    "t15 aud by the Host header": ("audience", lambda url: token(url, aud=f"http://localhost{url}")),
    "t15 aud is a prefix": ("audience", lambda url: token(url, aud=PUBLIC)),
    "t15 aud is longer": ("audience", lambda url: token(url, aud=f"{PUBLIC}{url}/more")),
    "t15 aud in other letters": ("audience", lambda url: token(url, aud=f"{PUBLIC}{url}".upper())),
    "t15 aud with others": ("audience", lambda url: token(url, aud=[f"{PUBLIC}{url}", OTHER])),
    "t15 aud twice": ("audience", lambda url: token(url, aud=[f"{PUBLIC}{url}"] * 2)),
    "t15 aud an empty list": ("audience", lambda url: token(url, aud=[])),
    "t15 aud a list in a list": ("audience", lambda url: token(url, aud=[[f"{PUBLIC}{url}"]])),
    "t15 aud an object": ("audience", lambda url: token(url, aud={"url": f"{PUBLIC}{url}"})),
    "t15 aud empty": ("audience", lambda url: token(url, aud="")),
    # T16: another issuer, another's key
    "t16 no iss": ("issuer", lambda url: token(url, iss=None)),
    "t16 an unknown iss": ("issuer or tenant", lambda url: token(url, iss="https://nobody.example")),
    "t16 iss with a slash more": ("issuer or tenant", lambda url: token(url, iss=f"{ISSUER}/")),
    "t16 a list as iss": ("issuer", lambda url: token(url, iss=[ISSUER])),
    "t16 an object as iss": ("issuer", lambda url: token(url, iss={"a": 1})),
    "t16 an empty iss": ("issuer", lambda url: token(url, iss="")),
    "t16 the key of A signs for B": ("key", lambda url: token(url, by=key("ES384", "pinned"))),
    "t16 the key of A signs for B under B's kid": ("signature", lambda url: token(url, by=stolen())),
    "t16 a tenant of a client that has none": ("issuer or tenant", lambda url: token(url, tenant="north")),
    "t16 a tenant that is not listed": (
        "issuer or tenant",
        lambda url: token(url, by=key("ES384", "vendor"), iss="https://vendor.example", tenant="east"),
    ),
    "t16 no tenant where the client has some": (
        "issuer or tenant",
        lambda url: token(url, by=key("ES384", "vendor"), iss="https://vendor.example"),
    ),
    "t16 a number as tenant": ("tenant", lambda url: token(url, tenant=7)),
    "t16 null as tenant": ("tenant", lambda url: payload(url, '"iss"', '"tenant": null, "iss"')),
    # T17: for ever
    "t17 no exp": ("time", lambda url: token(url, exp=None)),
    "t17 expired by a minute": ("expired", lambda url: token(url, iat=AT - 300, exp=AT - 60)),
    "t17 expires in ten years": ("lifetime", lambda url: token(url, exp=AT + 315_360_000)),
    "t17 lives a second more than an hour": ("lifetime", lambda url: token(url, exp=AT + 3601)),
    "t17 exp as text": ("time", lambda url: token(url, exp=str(AT + 300))),
    "t17 exp 1e300": ("not readable", lambda url: payload(url, str(AT + 300), "1e300")),
    "t17 exp of many digits": ("lifetime", lambda url: payload(url, str(AT + 300), "9" * 60)),
    "t17 exp with a fraction": ("time", lambda url: token(url, exp=AT + 300.5)),
    "t17 exp NaN": ("not readable", lambda url: payload(url, str(AT + 300), "NaN")),
    "t17 exp true": ("time", lambda url: token(url, exp=True)),
    "t17 exp before iat": ("lifetime", lambda url: token(url, iat=AT + 30, exp=AT + 20)),
    "t17 exp at iat": ("lifetime", lambda url: token(url, exp=AT)),
    "t17 no iat": ("time", lambda url: token(url, iat=None)),
    "t17 iat as text": ("time", lambda url: token(url, iat=str(AT))),
    # T18: not yet
    "t18 issued 61 s ahead": ("not yet valid", lambda url: token(url, iat=AT + 61)),
    "t18 not before 61 s from now": ("not yet valid", lambda url: token(url, nbf=AT + 61)),
    "t18 nbf as text": ("time", lambda url: token(url, nbf=str(AT))),
    # T19: without a name of its own
    "t19 no jti": ("jti", lambda url: token(url, jti=None)),
    "t19 an empty jti": ("jti", lambda url: token(url, jti="")),
    "t19 a jti of 256 characters": ("jti", lambda url: token(url, jti="j" * 256)),
    "t19 a number as jti": ("jti", lambda url: token(url, jti=7)),
    "t19 a jti with a NUL": ("not readable", lambda url: token(url, jti="a\0b")),
    "t19 a jti with half a character": ("not readable", lambda url: payload(url, "token-", "\\ud800-")),
    "t19 a jti with a line end": ("jti", lambda url: token(url, jti="a\nb")),
    # T20: keys from elsewhere
    "t20 jku of a thief": (
        "jku",
        lambda url: token(url, by=key("ES384", "pinned"), iss=OTHER, header={"jku": "https://thief.example/keys"}),
    ),
    "t20 jku that only begins like the pinned one": (
        "jku",
        lambda url: token(url, by=key("ES384", "pinned"), iss=OTHER, header={"jku": f"{JKU}.thief.example"}),
    ),
    "t20 a list as jku": ("jku", lambda url: token(url, by=key("ES384", "pinned"), iss=OTHER, header={"jku": [JKU]})),
    "t20 a key within the token": (
        "signature",
        lambda url: token(url, by=stolen(), header={"jwk": public(stolen())["keys"][0]}),
    ),
    "t20 a certificate within the token": ("signature", lambda url: token(url, by=stolen(), header={"x5c": ["MIIB"]})),
    "t20 a certificate elsewhere": (
        "signature",
        lambda url: token(url, by=stolen(), header={"x5u": "https://thief.example/crt"}),
    ),
    # T21: names of keys
    "t21 no kid": ("key", lambda url: token(url, header={"kid": None})),
    "t21 an unknown kid": ("key", lambda url: token(url, header={"kid": "nobodys"})),
    "t21 a number as kid": ("key", lambda url: token(url, header={"kid": 1})),
    "t21 a list as kid": ("key", lambda url: token(url, header={"kid": [key().kid]})),
    "t21 a kid with a path": ("key", lambda url: token(url, header={"kid": "../../../etc/passwd"})),
    "t21 a kid with SQL": ("key", lambda url: token(url, header={"kid": "x' OR '1'='1"})),
    "t21 a kid of 5 kB": ("key", lambda url: token(url, header={"kid": "k" * 5000})),
    "t21 an empty kid": ("key", lambda url: token(url, header={"kid": ""})),
    # T23: what is no token
    "t23 crit": ("critical header", lambda url: token(url, header={"crit": ["exp"]})),
    "t23 an empty crit": ("critical header", lambda url: token(url, header={"crit": []})),
    "t23 b64": ("critical header", lambda url: token(url, header={"b64": False})),
    "t23 another type": ("type", lambda url: token(url, header={"typ": "at+jwt"})),
    "t23 a number as type": ("type", lambda url: token(url, header={"typ": 1})),
    "t23 a character too long": ("too long", lambda url: long_token(url, 8001)),
    "t23 a megabyte": ("too long", lambda url: token(url, sub="s" * 1_000_000)),
    "t23 nothing": ("no signed token", lambda url: ""),
    "t23 one part": ("no signed token", lambda url: "eyJhbGciOiJFUzM4NCJ9"),
    "t23 two parts": ("no signed token", lambda url: token(url).rpartition(".")[0]),
    "t23 four parts": ("no signed token", lambda url: token(url) + ".c2ln"),
    "t23 five parts": ("no signed token", lambda url: token(url) + ".c2ln.c2ln"),
    "t23 two tokens": ("no signed token", lambda url: f"{token(url)} {token(url)}"),
    "t23 two headers in one": ("no signed token", lambda url: f"{token(url)}, Bearer {token(url)}"),
    "t23 a space before it": ("no signed token", lambda url: " " + token(url)),
    "t23 base64 with padding": ("no signed token", lambda url: token(url) + "="),
    "t23 characters that are not base64": ("no signed token", lambda url: token(url).replace(".", ".!", 1)),
    "t23 a header that is not JSON": ("not readable", lambda url: headed(url, b"{")),
    "t23 a header that is a list": ("not readable", lambda url: headed(url, b"[]")),
    "t23 a header of 1000 levels": ("not readable", lambda url: headed(url, b"[" * 1000 + b"]" * 1000)),
    "t23 a header in UTF-16": ("not readable", lambda url: headed(url, '{"alg":"ES384"}'.encode("utf-16"))),
    "t23 alg twice": ("not readable", lambda url: headed(url, b'{"alg":"none","kid":"hospital-ES384","alg":"ES384"}')),
    "t23 claims that are not JSON": ("not readable", lambda url: loaded(b"exp=1")),
    "t23 claims that are a list": ("not readable", lambda url: loaded(b"[1]")),
    "t23 claims of 500 levels": ("not readable", lambda url: loaded(b'{"a":' * 500 + b"1" + b"}" * 500)),
    "t23 exp twice": ("not readable", lambda url: payload(url, '"exp"', f'"exp": {AT - 600}, "exp"')),
    "t23 claims of another token": ("signature", lambda url: swapped(url, 1)),
    "t23 header of another token": (
        "signature",
        lambda url: ".".join([token(url, by=key("RS384")).split(".")[0], *token(url).split(".")[1:]]),
    ),
    "t23 signature of another token": ("signature", lambda url: swapped(url, 2)),
    "t23 a signature of zeros": ("signature", lambda url: f"{token(url).rpartition('.')[0]}.{encoded(bytes(96))}"),
    "t23 a signature in DER": ("signature", der),
    "t23 a signature cut short": ("signature", lambda url: token(url)[:-4]),
}


def long_token(url: str, length: int) -> str:
    """A good token of this length: a claim fills it up, and a header what base64 skips."""
    for more in ("", "x", "xx"):
        head = {"cty": more}
        missing = (length - len(token(url, jti="long", sub="", header=head))) * 3 // 4
        for filling in range(missing - 2, missing + 3):
            made = token(url, jti="long", sub="s" * filling, header=head)
            if len(made) == length:
                return made
    raise AssertionError(f"no token of {length} characters")


def everywhere(client: FlaskClient, authorization: Callable[[str], dict[str, str]]) -> list[tuple[int, bytes, str]]:
    """What discovery, service, feedback and an address that does not exist say; no body is one that can be read."""
    found = []
    for method, url in (("GET", DISCOVERY), ("POST", SERVICE), ("POST", FEEDBACK), ("POST", "/cds-services/none")):
        answer = client.open(url, method=method, data=b"{", headers=authorization(url), content_type="application/json")
        found.append((answer.status_code, answer.data, answer.headers["WWW-Authenticate"]))
    return found


def none_kept(client: FlaskClient) -> bool:
    memory: Memory = client.application.extensions["crs-cds-memory"]
    counted = memory.store.count(NOW - HOUR, NOW + HOUR)
    return (counted.answers, counted.feedback) == (0, 0)


@pytest.fixture
def refusal(client: FlaskClient) -> bytes:
    """The body that a call without any token gets."""
    answer = client.get(DISCOVERY)
    assert answer.status_code == 401
    check_operation_outcome(answer.get_json())
    return answer.data


@pytest.mark.parametrize("name", BAD)
def test_t13_t14_t15_t16_t17_t18_t19_t20_t21_t23_a_bad_token_is_the_same_401_at_every_address(
    client: FlaskClient, refusal: bytes, name: str
) -> None:
    """Only the log says why, in two words, so that a token is not refused for another reason than the one tried."""
    reason, bad = BAD[name]
    with capture_logs() as logs:
        found = everywhere(client, lambda url: bearer(bad(url)))
    assert found == [(401, refusal, "Bearer")] * 4
    assert none_kept(client)
    assert [line["reason"] for line in logs if line["event"] == "call refused"] == [reason] * 4


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Basic {token(SERVICE)}"},
        {"Authorization": token(SERVICE)},
        {"Authorization": "Basic aG9zcGl0YWw6c2VjcmV0"},
        {"X-Authorization": f"Bearer {token(SERVICE)}"},
    ],
    ids=["none", "empty", "no token", "a token as Basic", "no kind", "a password", "another header"],
)
def test_t13_t24_without_a_bearer_token_nobody_gets_in(
    client: FlaskClient, refusal: bytes, header: dict[str, str]
) -> None:
    assert everywhere(client, lambda _: header) == [(401, refusal, "Bearer")] * 4


def test_t15_the_token_of_one_address_opens_no_other(client: FlaskClient) -> None:
    sign = "/cds-services/crs-order-sign"
    for made_for, used_at in (
        (DISCOVERY, SERVICE),
        (SERVICE, DISCOVERY),
        (SERVICE, sign),
        (SERVICE, f"{sign}/feedback"),
    ):
        method = "GET" if used_at == DISCOVERY else "POST"
        assert client.open(used_at, method=method, headers=bearer(token(made_for))).status_code == 401
    assert client.post(SERVICE, headers=bearer(token(FEEDBACK))).status_code == 401


def test_t13_more_than_45_kinds_of_bad_token_are_tried() -> None:
    made = {name: bad(SERVICE) for name, (_, bad) in BAD.items()}
    assert len(set(made.values())) == len(BAD) >= 45


GOOD: dict[str, Callable[[str], str]] = {
    "ES384": lambda url: token(url),
    "RS384": lambda url: token(url, by=key("RS384")),
    "aud as a list of one": lambda url: token(url, aud=[f"{PUBLIC}{url}"]),
    "expired by 59 s": lambda url: token(url, iat=AT - 300, exp=AT - 59),
    "expires now": lambda url: token(url, iat=AT - 300, exp=AT),
    "lives an hour": lambda url: token(url, exp=AT + 3600),
    "issued 60 s ahead": lambda url: token(url, iat=AT + 60),
    "not before 60 s from now": lambda url: token(url, nbf=AT + 60),
    "not before five minutes ago": lambda url: token(url, nbf=AT - 300, sub="com.example.service"),
    "a jti of one character": lambda url: token(url, jti="j"),
    "a jti of 255 characters": lambda url: token(url, jti="j" * 255),
    "a jti of other letters": lambda url: token(url, jti="Schlüssel-Ж-鍵"),
    "the pinned jku": lambda url: token(url, by=key("ES384", "pinned"), iss=OTHER, header={"jku": JKU}),
    "no jku where one is pinned": lambda url: token(url, by=key("ES384", "pinned"), iss=OTHER),
    "a jku where none is pinned": lambda url: token(url, header={"jku": "https://ehr.example/keys"}),
    "no typ": lambda url: token(url, header={"typ": None}),
    "typ in small letters": lambda url: token(url, header={"typ": "jwt"}),
    "one tenant": lambda url: token(url, by=key("ES384", "vendor"), iss="https://vendor.example", tenant="north"),
    "another tenant": lambda url: token(url, by=key("ES384", "vendor"), iss="https://vendor.example", tenant="south"),
    "8000 characters": lambda url: long_token(url, 8000),
    "claims of no concern": lambda url: token(url, sub=None, scope=["a"], extension={"x": {"y": [1.5]}}),
}


@pytest.mark.parametrize("name", GOOD)
def test_t13_t17_t18_a_good_token_is_let_in(client: FlaskClient, name: str) -> None:
    answer = client.get(DISCOVERY, headers=bearer(GOOD[name](DISCOVERY)))
    assert answer.status_code == 200, answer.text
    assert len(answer.get_json()["services"]) == 3


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_the_kind_of_the_header_is_read_in_any_letters(client: FlaskClient, kind: str) -> None:
    assert client.get(DISCOVERY, headers={"Authorization": f"{kind} {token(DISCOVERY)}"}).status_code == 200


@pytest.mark.parametrize("audience", [SERVICE, FEEDBACK])
def test_t15_feedback_takes_the_token_of_its_own_address_and_of_its_service(client: FlaskClient, audience: str) -> None:
    answer = client.post(FEEDBACK, json={"feedback": []}, headers=bearer(token(audience)))
    assert answer.status_code == 200, answer.text


def test_a_slash_at_the_end_is_the_same_address(client: FlaskClient) -> None:
    assert client.get(f"{DISCOVERY}/", headers=bearer(token(DISCOVERY))).status_code == 200


def test_behind_the_door_an_address_is_404_and_a_method_405(client: FlaskClient) -> None:
    none = "/cds-services/none"
    assert client.post(none, headers=bearer(token(none))).status_code == 404
    assert client.get(SERVICE, headers=bearer(token(SERVICE))).status_code == 405
    assert client.get(SERVICE).status_code == 401


@pytest.mark.parametrize("url", [DISCOVERY, SERVICE, FEEDBACK])
def test_x1_a_preflight_needs_no_token_and_a_401_can_be_read_by_a_browser(client: FlaskClient, url: str) -> None:
    asked = {"Origin": "https://ehr.example", "Access-Control-Request-Method": "POST"}
    answer = client.options(url, headers=asked | {"Access-Control-Request-Headers": "authorization"})
    assert answer.status_code == 204
    assert client.options(url).status_code == 200
    refused = client.post(url, headers={"Origin": "https://ehr.example"})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, "*")


@pytest.mark.parametrize(("configured", "alg"), [("ES256", "ES256"), ("RS256", "RS256"), ("PS384", "PS384")])
def test_t14_another_algorithm_is_taken_where_it_is_configured_and_only_for_that_client(
    make_app: MakeApp, configured: Any, alg: str
) -> None:
    kind = "ES256" if alg == "ES256" else "RS384"
    special = trusted(key(kind, "special"), algorithms=[configured], id="special", issuer=OTHER)
    client = make_app(auth="required", public_url=PUBLIC, clients=[trusted(), special])
    made = token(DISCOVERY, by=key(kind, "special"), alg=alg, header={"alg": alg}, iss=OTHER)
    assert client.get(DISCOVERY, headers=bearer(made)).status_code == 200
    unusual = token(DISCOVERY, by=key("RS384"), alg="RS256", header={"alg": "RS256"})
    assert client.get(DISCOVERY, headers=bearer(unusual)).status_code == 401


def test_t15_a_client_with_audiences_of_its_own_uses_these_and_no_others(make_app: MakeApp) -> None:
    sandbox = trusted(audiences=("sand_man", "second"))
    client = make_app(auth="required", public_url=PUBLIC, clients=[sandbox])
    for audience, status in (("sand_man", 200), (["second"], 200), (f"{PUBLIC}{DISCOVERY}", 401), ("sand", 401)):
        assert client.get(DISCOVERY, headers=bearer(token(DISCOVERY, aud=audience))).status_code == status


def test_t19_a_token_is_used_once_at_whatever_address_and_by_whatever_issuer_s_counting(client: FlaskClient) -> None:
    made = token(SERVICE, jti="the-same")
    assert client.post(FEEDBACK, json={"feedback": []}, headers=bearer(made)).status_code == 200
    assert client.post(FEEDBACK, json={"feedback": []}, headers=bearer(made)).status_code == 401
    assert client.get(DISCOVERY, headers=bearer(token(DISCOVERY, jti="the-same"))).status_code == 401
    of_another = token(DISCOVERY, jti="the-same", by=key("ES384", "pinned"), iss=OTHER)
    assert client.get(DISCOVERY, headers=bearer(of_another)).status_code == 200


def test_t19_a_refused_token_does_not_use_up_the_id_of_a_good_one(client: FlaskClient) -> None:
    assert client.get(DISCOVERY, headers=bearer(token(DISCOVERY, jti="mine", by=stolen()))).status_code == 401
    assert client.get(DISCOVERY, headers=bearer(token(DISCOVERY, jti="mine", exp=AT + 9000))).status_code == 401
    assert client.get(DISCOVERY, headers=bearer(token(DISCOVERY, jti="mine"))).status_code == 200


def test_t11_neither_tokens_nor_their_signatures_reach_the_log(client: FlaskClient) -> None:
    made = [token(DISCOVERY), token(DISCOVERY, iss="https://nobody.example"), token(DISCOVERY, aud="else")]
    with capture_logs() as logs:
        statuses = [client.get(DISCOVERY, headers=bearer(text)).status_code for text in made]
    assert statuses == [200, 401, 401]
    written = json.dumps(logs, default=str)
    assert not any(part in written for text in made for part in text.split("."))
    assert [line["reason"] for line in logs if line["event"] == "call refused"] == ["issuer or tenant", "audience"]


def test_with_authentication_off_a_token_is_not_even_looked_at(make_app: MakeApp) -> None:
    client = make_app()
    assert client.get(DISCOVERY).status_code == 200
    assert client.get(DISCOVERY, headers=bearer("nonsense")).status_code == 200


def test_t24_with_authentication_and_no_trusted_client_nobody_gets_in(make_app: MakeApp) -> None:
    client = make_app(auth="required", public_url=PUBLIC)
    assert client.get(DISCOVERY, headers=bearer(token(DISCOVERY))).status_code == 401
