"""Accounts in a real browser, against a small OpenID provider of our own: deep links too lead to the login first."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.browser.helpers import APP, push

pytestmark = pytest.mark.browser
CLIENT = "influence"
KEY = RSAKey.generate_key(2048, {"kid": "one"})


class Provider(BaseHTTPRequestHandler):
    """Says yes to everybody, as Ada."""

    nonce = ""

    def do_GET(self) -> None:  # noqa: N802 - named by http.server
        asked = urlsplit(self.path)
        here = f"http://{self.headers['Host']}"
        if asked.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(asked.query).items()}
            Provider.nonce = query.get("nonce", "")
            self.send_response(302)
            back = urlencode({"code": "yes", "state": query["state"]})
            self.send_header("Location", f"{query['redirect_uri']}?{back}")
            self.end_headers()
        elif asked.path == "/keys":
            self._answer({"keys": [KEY.as_dict(private=False)]})
        else:
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "keys"}
            found = {name: f"{here}/{path}" for name, path in names.items()}
            signed = {"id_token_signing_alg_values_supported": ["RS256"], "response_types_supported": ["code"]}
            self._answer({"issuer": here, "subject_types_supported": ["public"]} | found | signed)

    def do_POST(self) -> None:  # noqa: N802
        now = int(time.time())
        said = {"iss": f"http://{self.headers['Host']}", "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 600}
        said |= {"nonce": Provider.nonce, "email": "ada@example.org", "email_verified": True, "name": "Ada"}
        token = jwt.encode({"alg": "RS256", "kid": "one"}, said, KEY)
        self._answer({"access_token": "x", "token_type": "Bearer", "expires_in": 600, "id_token": token})

    def _answer(self, content: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


@pytest.fixture
def page(stranger: Any) -> Any:
    """A profile of its own: cookies name people, and belong to a host whatever the port."""
    return stranger()


@pytest.fixture
def provider() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_deep_link_leads_to_the_login_and_back_to_a_named_person(
    page: Any, serve: Any, provider: str, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets.toml"
    env = {"INFLUENCE_DATA_DIR": str(tmp_path), "INFLUENCE_DB_URL": "", "INFLUENCE_LEADS": "ada@example.org"}
    address = serve(APP, f"--secrets.files={secrets}", env=env)
    secrets.write_text(
        f'[auth]\nredirect_uri = "{address}/oauth2callback"\ncookie_secret = "{"s" * 40}"\nclient_id = "{CLIENT}"\n'
        f'client_secret = "none"\nserver_metadata_url = "{provider}/.well-known/openid-configuration"\n'
    )
    page.goto(f"{address}/Mislabels?data.name=digits&data.digits=3,5&model.name=logistic")
    page.get_by_text("This server is for people with an account.").wait_for()
    assert page.get_by_text("Current problem").count() == 0
    push(page, page.get_by_role("button", name="Log in"))
    page.wait_for_url("**/Mislabels?*data.name=digits*")
    page.get_by_role("button", name="Make the queue").wait_for()
    push(page, page.get_by_role("button", name="Make the queue"))
    page.get_by_text("ada@example.org, lead").wait_for()
    push(page, page.get_by_text("ada@example.org, lead"))
    push(page, page.get_by_role("button", name="Log out"))
    page.get_by_text("This server is for people with an account.").wait_for()
