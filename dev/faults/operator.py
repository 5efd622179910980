"""Ask the admin port as an operator does."""

from __future__ import annotations

import http.client
import json
from contextlib import suppress
from typing import Any

from tests.service_process import ADMIN_TOKEN, Running

_WAIT_SECONDS = 30.0


class Operator:
    """One keep-alive connection to the admin port, made anew when it breaks."""

    def __init__(self, service: Running) -> None:
        self._service = service
        self._connection = http.client.HTTPConnection(*service.admin, timeout=_WAIT_SECONDS)

    def act(self, kind: str, dataset: str, **fields: Any) -> dict[str, Any]:
        """Carry out an action on a dataset; return what came of it, `status` beside it."""
        body = json.dumps({"wait_seconds": _WAIT_SECONDS - 5, **fields})
        headers = {"Content-Type": "application/json"}
        return self._ask("POST", f"/datasets/{dataset}/{kind}", body, headers)

    def diagnostics(self) -> dict[str, Any]:
        """Return the document of `/diagnostics`."""
        return self._ask("GET", "/diagnostics", None, {})

    def find_diagnostics(self) -> dict[str, Any] | None:
        """Return the document of `/diagnostics`, None when it is not to be had just now."""
        with suppress(OSError, http.client.HTTPException, ValueError):
            return self.diagnostics()
        self._connection.close()
        return None

    def _ask(
        self, method: str, target: str, body: str | None, headers: dict[str, str]
    ) -> dict[str, Any]:
        authorization = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        try:
            self._connection.request(method, target, body, {**headers, **authorization})
            response = self._connection.getresponse()
            document: dict[str, Any] = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            self._connection.close()
            raise
        return {**document, "status": response.status}
