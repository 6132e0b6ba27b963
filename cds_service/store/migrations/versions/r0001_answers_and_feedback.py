"""Answers with their cards, and feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "answers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("hook", sa.String(), nullable=False),
        sa.Column("hook_instance", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("patient", sa.String(), nullable=False),
        sa.Column("encounter", sa.String()),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("status", sa.String()),
        sa.Column("grade", sa.Integer()),
        sa.Column("assessment", sa.JSON(), nullable=False),
        sa.Column("protocol_id", sa.String(), nullable=False),
        sa.Column("protocol_version", sa.String(), nullable=False),
        sa.Column("protocol_hash", sa.String(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_answers"),
    )
    op.create_index("ix_answers_at", "answers", ["at"])
    op.create_index("ix_answers_patient_at", "answers", ["patient", "at"])
    op.create_table(
        "cards",
        sa.Column("answer", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("uuid", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("grade", sa.Integer()),
        sa.Column("advice", sa.Text(), nullable=False),
        sa.Column("indicator", sa.String(), nullable=False),
        sa.Column("suggestions", sa.JSON(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["answer"], ["answers.id"], name="fk_cards_answer", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("answer", "position", name="pk_cards"),
    )
    op.create_index("ix_cards_uuid", "cards", ["uuid"])
    op.create_table(
        "feedback",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("card", sa.String(), nullable=False),
        sa.Column("service", sa.String(), nullable=False),
        sa.Column("client", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("accepted", sa.JSON(), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_feedback"),
    )
    op.create_index("ix_feedback_card", "feedback", ["card"])
    op.create_index("ix_feedback_received_at", "feedback", ["received_at"])
