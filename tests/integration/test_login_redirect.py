"""The whole login at the simulated exchange: its page, the redirect, the session file."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.broker.kite.address import login_url
from libs.runtime.kite import kite_address
from libs.runtime.settings import KiteSettings
from services.local.commands.kite_login import log_in
from services.local.commands.redirect import STATE, Redirect
from tests.integration.simulators import Client, at_desk


def test_the_browser_is_sent_back_to_the_command_that_waits_for_it(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with closing(Redirect("http://127.0.0.1:0/")) as redirect:
        here = f"http://127.0.0.1:{redirect.port}/"

        async def play(client: Client) -> None:
            settings = KiteSettings(
                api_key="simulator",
                api_secret=SecretStr("simulator-secret"),
                root=client.server.url,
                login_root=f"{client.server.url}/connect/login",
                session_file=tmp_path / "session.json",
            )
            waiting = asyncio.create_task(asyncio.to_thread(redirect.wait, 20, StringIO()))
            url = login_url(kite_address(settings), {STATE: redirect.state})
            page = await client.http.get(url)
            action = page.text.partition('action="')[2].partition('"')[0].replace("&amp;", "&")
            done = await client.http.post(action, follow_redirects=True)
            assert (done.status_code, done.url.port) == (200, redirect.port)
            token = await waiting
            assert token not in done.text
            session = await log_in(settings, token)
            assert session.user_id == "SIM001"
            kept = json.loads(settings.session_file.read_text())
            assert kept["access_token"] == session.access_token
            said = "".join(capfd.readouterr())
            assert token not in said

        at_desk(play, redirect_url=here)


@pytest.mark.parametrize("is_taken", [False, True], ids=["it listens", "the port is taken"])
def test_what_is_pasted_is_taken_whether_the_browser_can_be_waited_for_or_not(
    tmp_path: Path, is_taken: bool
) -> None:
    with closing(Redirect("http://127.0.0.1:0/")) as other:
        port = other.port if is_taken else 0
        root = str(Path(__file__).parents[2])
        done = subprocess.run(
            [sys.executable, "-m", "services.local", "login"],
            cwd=tmp_path,
            input="no token\n",
            env=os.environ
            | {
                "PYTHONPATH": root,
                "ALPHASTOCKS_KITE__API_KEY": "key",
                "ALPHASTOCKS_KITE__API_SECRET": "secret",
                "ALPHASTOCKS_KITE__REDIRECT_URL": f"http://127.0.0.1:{port}/",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 2
    assert "login: no request_token in that" in done.stderr
    assert ("The browser is not waited for: kite.redirect_url" in done.stderr) == is_taken
