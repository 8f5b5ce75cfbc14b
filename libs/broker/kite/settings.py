"""Settings of an account at Kite, section [kite]."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from libs.broker.kite.address import KiteAddress
from libs.market.units import Seconds


class KiteSettings(BaseModel):
    """The account at Kite Connect, or the simulator that stands in for it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: str = Field("", description="the app's key; of `alphastocks simulator`: simulator")
    api_secret: SecretStr = Field(SecretStr(""), description="the app's secret; login needs it")
    root: str = Field("https://api.kite.trade", description="address of the REST interface")
    ws_root: str = Field("wss://ws.kite.trade", description="address of the websocket")
    login_root: str = Field(
        "https://kite.zerodha.com/connect/login", description="address of the login page"
    )
    redirect_url: str = Field(
        "http://127.0.0.1:8210/",
        description="redirect address of the app, where `alphastocks login` listens if it is here",
    )
    session_file: Path = Field(
        Path("var/kite/session.json"), description="where `alphastocks login` keeps the token"
    )
    timeout_seconds: Annotated[float, Seconds(0, 60, above=True)] = Field(
        5.0, description="timeout of a REST call"
    )
    silence_seconds: Annotated[float, Seconds(0, 300, above=True)] = Field(
        5.0, description="reconnect a websocket that is silent for so long"
    )
    poll_seconds: Annotated[float, Seconds(0, 60, above=True)] = Field(
        5.0, description="interval between reads of the order book"
    )
    fill_seconds: Annotated[float, Seconds(0, 60)] = Field(
        2.0, description="book a fill by its order's update if its trades do not come for so long"
    )

    def address(self) -> KiteAddress:
        """Return the address; raise ValueError, which names the key, without address or API key."""
        if not self.api_key:
            raise ValueError(
                "kite.api_key: needed to talk to Kite: set ALPHASTOCKS_KITE__API_KEY, then run "
                "`alphastocks login`"
            )
        try:
            return KiteAddress(
                api_key=self.api_key,
                root=self.root,
                ws_root=self.ws_root,
                login_root=self.login_root,
                timeout_seconds=self.timeout_seconds,
            )
        except ValueError as error:
            raise ValueError(f"kite.{error}") from None
