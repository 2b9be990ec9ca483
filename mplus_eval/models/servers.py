"""Servers with OpenAI's API: whether one can be asked, what it serves, and how it is asked."""

from __future__ import annotations

import os
from urllib.parse import urlsplit

from mplus_eval.data.hub import reason
from mplus_eval.servers.api import PATHS, NoApiError, ServedApi, find_api
from mplus_eval.spec.backends import ENGINE_KEYS, PLACEMENT_KEYS, BackendInfo, ServerApi
from mplus_eval.spec.model import ModelSpec, is_url

_TIMEOUT_SECONDS = 10.0
_MEANINGLESS_KEYS = ("revision", "adapter", "device", "quantization", *PLACEMENT_KEYS, "max_length", *ENGINE_KEYS)
TEMPLATE_OWNERS = ("vllm", "sglang")
"""Servers that pass words on to a chat template."""


def server_faults(model: ModelSpec, backend: BackendInfo, where: str) -> list[str]:
    """Return what stands in the way of asking a server, a line each."""
    import httpx

    api = backend.server
    assert api is not None
    url, wanted = server_of(model)
    faults = [
        f"{where}: {key} does not apply to a server, which has loaded its model already"
        for key in _MEANINGLESS_KEYS
        if getattr(model, key) != ModelSpec.model_fields[key].default
    ]
    faults += [f"{where}: the backend {backend.name} {each.why}" for each in backend.refusals if each.meets(model)]
    if not is_url(url):
        return [*faults, f"{where}: the backend {backend.name} needs base_url={api.url}"]
    parts = urlsplit(url)
    if parts.query or parts.username or parts.password:
        return [*faults, f"{where}: a server is written {api.url}; its key is read from {api.key_variable}"]
    key = key_of(api)
    if not (key.isascii() and key.isprintable()) or " " in key:
        return [*faults, f"{where}: {api.key_variable} holds characters that no key has"]
    try:
        served = listed_models(url, wanted, api)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        why = f"answers {status} to /models; base_url usually ends in /v1"
        if status in (401, 403):
            why = f"refuses the key; set {api.key_variable}"
        return [*faults, f"{where}: the server {url} {why}"]
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return [*faults, f"{where}: cannot reach the server {url} ({reason(error)})"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return [*faults, f"{where}: the server {url} does not answer /models as OpenAI's does"]
    names = ", ".join(served) or "none"
    if wanted is None and len(served) != 1:
        faults.append(f"{where}: the server {url} serves {len(served)} models ({names}); say which with model=NAME")
    elif wanted is not None and served and wanted not in served:
        faults.append(f"{where}: the server {url} does not serve {wanted!r}; it serves {names}")
    else:
        faults += [f"{where}: {fault}" for fault in _api_faults(model, url, wanted or next(iter(served)), api)]
    return faults


def _api_faults(model: ModelSpec, url: str, name: str, api: ServerApi) -> list[str]:
    """What stands in the way of asking a model in the API that its server has."""
    try:
        kind = api_of(model, name, api).kind
    except NoApiError as error:
        return [str(error)]
    faults = []
    if kind == "chat":
        if isinstance(model.chat_template, str):
            faults.append("chat completions are put into the server's own template; write chat_template=true or false")
        if model.add_bos != "auto" and model.tokenizer is not None:
            faults.append("with chat completions the server encodes texts itself; leave add_bos out")
        if model.enable_thinking is not None and owner_of(url, name, api) not in TEMPLATE_OWNERS:
            faults.append("this server cannot be told enable_thinking; leave it out")
        return faults
    if model.chat_template is not False and model.tokenizer is None:
        faults.append("with a server, chat_template needs tokenizer=SOURCE")
    if model.tokenizer is None and not _has_tokenizer(url, api):
        faults.append(
            f"the server {url} offers no tokenizer (vLLM's /tokenizer_info); "
            "name the model's with tokenizer=SOURCE, or ask it by api=chat"
        )
    return faults


def api_of(model: ModelSpec, name: str, api: ServerApi) -> ServedApi:
    """How a served model is asked, found by asking once a run.

    Raises:
        NoApiError: it answers in no way that is known here; says how it does.
    """
    url, _ = server_of(model)
    key = key_of(api)
    try:
        return find_api(url, name, key, model.api)
    except NoApiError as error:
        ways = PATHS[model.api] if model.api else " or ".join(PATHS.values())
        raise NoApiError(f"the server {url} does not answer {ways} as OpenAI's does ({error})") from None


def server_of(model: ModelSpec) -> tuple[str, str | None]:
    """A server's URL, without a slash at its end, and the name asked of it, if any."""
    url = model.base_url or (model.source if is_url(model.source) else "")
    return url.rstrip("/"), model.model or (None if is_url(model.source) else model.source)


def served_models(url: str, api: ServerApi) -> dict[str, int | None]:
    """The models that a server offers, with the longest sequence in tokens where it says (vLLM's does)."""
    import httpx

    reply = httpx.get(f"{url}/models", headers=_headers(api), timeout=_TIMEOUT_SECONDS)
    lengths = {str(entry["id"]): entry.get("max_model_len") for entry in reply.raise_for_status().json()["data"]}
    return {name: length if isinstance(length, int) else None for name, length in lengths.items()}


def key_of(api: ServerApi) -> str:
    """The key for servers of this kind; empty when there is none."""
    return os.environ.get(api.key_variable, "").strip()


def listed_models(url: str, wanted: str | None, api: ServerApi) -> dict[str, int | None]:
    """The same; none of a server that keeps no list, where it is known what to ask it for."""
    import httpx

    try:
        return served_models(url, api)
    except httpx.HTTPStatusError as error:
        if wanted is None or error.response.status_code in (401, 403):
            raise
        return {}


def owner_of(url: str, name: str, api: ServerApi) -> str:
    """What serves a model, as `vllm`, `sglang` or `llamacpp`, where the server says it; empty elsewhere."""
    import httpx

    try:
        reply = httpx.get(f"{url}/models", headers=_headers(api), timeout=_TIMEOUT_SECONDS).raise_for_status()
        owners = {str(entry["id"]): str(entry.get("owned_by") or "") for entry in reply.json()["data"]}
    except (httpx.HTTPError, AttributeError, KeyError, TypeError, ValueError):
        return ""
    return owners.get(name, "").lower()


def _has_tokenizer(url: str, api: ServerApi) -> bool:
    """Tell whether lm-eval can tokenize with the server, whose paths for this stand beside /v1."""
    import httpx

    try:
        reply = httpx.get(f"{url.removesuffix('/v1')}/tokenizer_info", headers=_headers(api), timeout=_TIMEOUT_SECONDS)
    except httpx.HTTPError:
        return False
    return reply.is_success


def _headers(api: ServerApi) -> dict[str, str]:
    key = key_of(api)
    return {"Authorization": f"Bearer {key}"} if key else {}
