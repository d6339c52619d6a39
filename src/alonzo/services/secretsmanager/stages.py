"""Which staging labels which version has after a change. Pure.

A label is on one version at a time. When AWSCURRENT goes to another version, AWSPREVIOUS goes to
the one that had it.

Source: Secrets Manager user guide, secret versions; API reference, UpdateSecretVersionStage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from alonzo.services.secretsmanager.errors import invalid_parameter, no_value_of_version

CURRENT = "AWSCURRENT"
PREVIOUS = "AWSPREVIOUS"
PENDING = "AWSPENDING"

#: Versions by id, with their labels.
Stages = Mapping[str, tuple[str, ...]]


def holder(stages: Stages, label: str) -> str | None:
    """The version that has a label."""
    return next((version for version, labels in stages.items() if label in labels), None)


def attached(stages: Stages, version: str, labels: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The labels after a version got some."""
    after = {each: list(had) for each, had in stages.items()}
    after.setdefault(version, [])
    for label in labels:
        _move(after, label, version)
    return {each: tuple(has) for each, has in after.items()}


def moved(
    stages: Stages, label: str, *, to: str | None, away_from: str | None
) -> dict[str, tuple[str, ...]]:
    """The labels after UpdateSecretVersionStage.

    Raises:
        AwsError: the request does not say what has the label now, or would lose AWSCURRENT.
    """
    for version in (to, away_from):
        if version is not None and version not in stages:
            raise no_value_of_version(version)
    had = holder(stages, label)
    if to is None and away_from is None:
        raise invalid_parameter(
            "You must provide a value for MoveToVersionId or RemoveFromVersionId."
        )
    if had is not None and had != to and away_from != had:
        if away_from is None:
            raise invalid_parameter(
                "The parameter RemoveFromVersionId can't be empty. Staging label "
                f"{label} is currently attached to version {had}, so you must explicitly "
                "reference that version in RemoveFromVersionId."
            )
        raise invalid_parameter(
            f"Staging label {label} is not attached to version {away_from}: it is attached to "
            f"version {had}."
        )
    if had is None and away_from is not None:
        raise invalid_parameter(f"Staging label {label} is not attached to version {away_from}.")
    if to is not None:
        return attached(stages, to, [label])
    if label == CURRENT:
        raise invalid_parameter(
            "You can only move staging label AWSCURRENT to a different secret version. It can't "
            "be completely removed."
        )
    return {
        version: tuple(each for each in labels if each != label)
        for version, labels in stages.items()
    }


def _move(after: dict[str, list[str]], label: str, version: str) -> None:
    had = next((each for each, labels in after.items() if label in labels), None)
    if had == version:
        return
    if had is not None:
        after[had].remove(label)
    after[version].append(label)
    if label == CURRENT:
        for labels in after.values():
            if PREVIOUS in labels:
                labels.remove(PREVIOUS)
        if had is not None:
            after[had].append(PREVIOUS)
