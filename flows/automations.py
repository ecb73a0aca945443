"""What the Prefect server does by itself: definitions in a file → automations on the server."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import yaml
from apprise import Apprise
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.types import SecretDict
from pydantic import SecretStr, ValidationError

from shards.errors import InputError

SHIPPED = files("conf") / "automations.yaml"
PLACEHOLDER = "{{ notification }}"
OWN_BLOCK = "nightmark"
"""The name of the block that holds an address given as such."""


def put_automations(file: Path | None = None, notify: str | None = None) -> tuple[str, ...]:
    """Make the server's automations those of ``file`` (default: the shipped ones); their names.

    Harmless twice: an automation of that name is replaced, and stays off if somebody turned it off.

    Args:
        file: as Prefect's ``automation create --from-file`` reads it.
        notify: ``http(s)://…``, which gets ``{"text": …}`` posted; any other address that apprise
            understands, such as ``mailtos://…``; or ``TYPE/NAME`` of a Prefect notification block.
            Without it, nobody is notified.

    Raises:
        InputError: the file defines no automations, there is no such block, or the address is none.
    """
    tree = _read(file)
    with get_client(sync_client=True) as client:
        block = None if notify is None else _notification(client, notify)
        definitions = tuple(_definitions(tree, block, file))
        there = {automation.name: automation for automation in client.read_automations()}
        for definition in definitions:
            before = there.get(definition.name)
            if before is None:
                client.create_automation(definition)
            else:
                kept = definition.model_copy(update={"enabled": before.enabled})
                client.update_automation(before.id, kept)
    return tuple(definition.name for definition in definitions)


def _read(file: Path | None) -> list[Any]:
    try:
        text = SHIPPED.read_text("utf-8") if file is None else file.read_text("utf-8")
        tree = yaml.safe_load(text)
    except OSError as error:
        raise InputError(f"automations {file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"automations {file} are not readable as YAML: {error}") from error
    found = tree.get("automations") if isinstance(tree, dict) else None
    if not isinstance(found, list):
        raise InputError(f"automations {file}: a list under `automations` is needed")
    return found


def _definitions(
    tree: list[Any], block: UUID | None, file: Path | None
) -> Iterator[AutomationCore]:
    for entry in tree:
        try:
            yield AutomationCore.model_validate(_notifying(entry, block))
        except ValidationError as error:
            name = entry.get("name", "without a name") if isinstance(entry, dict) else entry
            raise InputError(f"automations {file}: {name}: {error}") from error


def _notifying(entry: Any, block: UUID | None) -> Any:
    """The entry with the block in its notifications, which do nothing where there is none."""
    if not isinstance(entry, dict):
        return entry
    actions = []
    for action in entry.get("actions", []):
        if action.get("block_document_id") != PLACEHOLDER:
            actions.append(action)
        elif block is None:
            actions.append({"type": "do-nothing"})
        else:
            actions.append({**action, "block_document_id": str(block)})
    return {**entry, "actions": actions}


def _notification(client: SyncPrefectClient, notify: str) -> UUID:
    """The block to notify through; an address becomes one."""
    if "://" in notify:
        return cast("UUID", _block_of(notify).save(OWN_BLOCK, overwrite=True))
    kind, slash, name = notify.partition("/")
    if not slash:
        raise InputError(
            f"--notify {notify}: write a web address, another address with ://, or TYPE/NAME of a "
            f"Prefect block"
        )
    try:
        return client.read_block_document_by_name(name, kind).id
    except ObjectNotFound as error:
        raise InputError(
            f"--notify {notify}: the server has no such block; make it in the Prefect UI (Blocks), "
            f"or see `prefect block ls`"
        ) from error


def _block_of(address: str) -> NotificationBlock:
    if address.startswith(("http://", "https://")):
        return CustomWebhookNotificationBlock(
            name=OWN_BLOCK,
            # It holds the key of a chat's channel, and only these are kept secret.
            url="{{address}}",
            secrets=SecretDict({"address": address}),
            json_data={"text": "{{subject}}\n{{body}}"},
            headers=None,
            cookies=None,
        )
    # The address may hold a password, so that no message repeats it.
    if not Apprise().add(address):
        kind = address.partition("://")[0]
        raise InputError(
            f"--notify {kind}://…: apprise, which sends this, does not understand the address; "
            f"appriseit.com/services has the form of each. Characters such as @ : / in a password "
            f"are written %40 %3A %2F"
        )
    # Prefect has no block for mail by SMTP. That for Slack hands every address that is not Slack's
    # to apprise as it is, is known to every Prefect server, and keeps the address secret.
    return SlackWebhook(url=SecretStr(address))
