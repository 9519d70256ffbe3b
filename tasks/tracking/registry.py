"""Registered models: a name, its versions, and the alias that points at the champion."""

import json
from collections.abc import Mapping
from typing import Any

from tasks.tracking.mlflow_store import MlflowStore

CHAMPION = "champion"
MODEL_ID = "gradmix.model_id"
"""Tag of a version; MLflow's database stores a version's run, but not its model."""
VERSIONS = "mlflow.modelVersions"
"""Tag of a model with its versions as JSON, read by MLflow's pages."""


def register_model(
    store: MlflowStore,
    *,
    name: str,
    model: str,
    alias: str,
    tags: Mapping[str, str],
    description: str,
) -> str:
    """Make a model a version of a registered model, once, and point the alias at it.

    Args:
        store: store that holds the model.
        name: name of the registered model, created if necessary.
        model: model id.
        alias: alias, moved only if it points at another version.
        tags: tags of the version.
        description: description of the version, Markdown.

    Returns:
        The number of the version.
    """
    client, model_id = store.client, store.resolve(model)
    if not client.search_registered_models(f"name = '{name}'"):
        client.create_registered_model(name)
    tags = {**tags, MODEL_ID: model_id}
    versions = client.search_model_versions(f"name = '{name}'")
    found = next((one for one in versions if one.tags.get(MODEL_ID) == model_id), None)
    if found is None:
        made = client.get_logged_model(model_id)
        # Given the files' address; for `models:/ID`, MLflow would use the environment's store.
        found = client.create_model_version(
            name,
            source=made.artifact_location,
            run_id=made.source_run_id,
            tags=tags,
            description=description,
            model_id=model_id,
        )
    version = str(found.version)
    for key, value in tags.items():
        if found.tags.get(key) != value:
            client.set_model_version_tag(name, version, key, value)
    _name_version(store, model_id, name, version)
    if str(client.get_registered_model(name).aliases.get(alias, "")) != version:
        client.set_registered_model_alias(name, alias, version)
    return version


def _name_version(store: MlflowStore, model_id: str, name: str, version: str) -> None:
    """Name the version on the model's page, as a server does by itself but a database does not."""
    tags = store.client.get_logged_model(model_id).tags
    named: list[dict[str, Any]] = json.loads(tags.get(VERSIONS, "[]"))
    if (name, version) not in [(one["name"], str(one["version"])) for one in named]:
        named.append({"name": name, "version": int(version)})
        store.client.set_logged_model_tags(model_id, {VERSIONS: json.dumps(named)})


def registered_models(store: MlflowStore) -> list[str]:
    """Names of all registered models."""
    return sorted(found.name for found in store.client.search_registered_models())


def version_of(store: MlflowStore, name: str, alias: str) -> str | None:
    """Id of the model that an alias of a registered model points at; None if there is none."""
    found = store.client.search_registered_models(f"name = '{name}'")
    aliases: dict[str, str] = store.client.get_registered_model(name).aliases if found else {}
    if alias not in aliases:
        return None
    tags: dict[str, str] = store.client.get_model_version(name, str(aliases[alias])).tags
    return tags.get(MODEL_ID)
