"""``nightmark record-schema``: what the JSON files under the artifact root hold."""

import json
from typing import Annotated

import typer

from flows.cli.console import OUT
from shards.errors import InputError
from tasks.metrics.comparison import Comparison
from tasks.metrics.scoring import Scoring
from tasks.night import Night
from tasks.predictions.evaluation import Evaluation
from tasks.records import Record

commands = typer.Typer()
RECORDS: dict[str, type[Record]] = {
    "metrics": Scoring,
    "night": Night,
    "evaluation": Evaluation,
    "comparison": Comparison,
}


@commands.command("record-schema")
def record_schema(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(RECORDS)}.")],
) -> None:
    """Print the JSON Schema of a kind of record."""
    if name not in RECORDS:
        raise InputError(f"there is no record {name!r}; there are {', '.join(RECORDS)}")
    OUT.print(record_schema_text(name), markup=False, soft_wrap=True, end="")


def record_schema_text(name: str) -> str:
    """The JSON Schema of a record as it is written, as it is committed."""
    schema = RECORDS[name].model_json_schema(mode="serialization")
    return json.dumps(schema, indent=2) + "\n"
