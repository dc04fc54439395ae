"""Serving the app: Streamlit's server with settings that keep it at home."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import urlsplit

from dashboards import theme
from harness.errors import AttnbenchError, ConfigError

LOOPBACK = "127.0.0.1"
PORT = 8501
STORE = "ATTNBENCH_DASHBOARD_STORE"
"""Environment variable with the store's address: it may hold a password, so no argument does."""


def settings(address: str, port: int, public: str) -> dict[str, object]:
    """Streamlit's options. ``public`` is the address that visitors type where a proxy stands
    before the app, "" for none.

    Raises:
        ConfigError: ``public`` is no address of a web page.
    """
    options: dict[str, object] = {
        "server_address": address,
        "server_port": port,
        "server_headless": True,  # opens no browser, asks for no e-mail address
        "server_fileWatcherType": "none",
        "server_enableStaticServing": False,
        "browser_gatherUsageStats": False,
        "client_toolbarMode": "minimal",
        "client_showErrorDetails": "none",  # a visitor needs no paths of the server
        "theme_light_backgroundColor": theme.LIGHT["background"],
        "theme_light_textColor": theme.LIGHT["ink"],
        "theme_light_primaryColor": theme.LIGHT["fast"],
        "theme_dark_backgroundColor": theme.DARK["background"],
        "theme_dark_textColor": theme.DARK["ink"],
        "theme_dark_primaryColor": theme.DARK["fast"],
    }
    if public:
        parts = urlsplit(public)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"--public-url {public}: an address such as https://host/attnbench")
        options |= {
            "browser_serverAddress": parts.hostname,
            "browser_serverPort": parts.port or (443 if parts.scheme == "https" else 80),
            "server_baseUrlPath": parts.path.strip("/"),
        }
    return options


def must_be_free(address: str, port: int) -> None:
    """Raise AttnbenchError where nothing can listen there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise AttnbenchError(
                f"can't listen at {address}:{port}: {error.strerror}. Another: --port {port + 1}"
            ) from error


def serve(store: str, *, address: str = LOOPBACK, port: int = PORT, public: str = "") -> None:
    """Serve the app over the store until interrupted.

    Raises:
        ConfigError: an address that is none.
        AttnbenchError: nothing can listen there, or Streamlit is not installed.
    """
    options = settings(address, port, public)
    must_be_free(address, port)
    try:
        from streamlit.web import bootstrap
    except ModuleNotFoundError as error:
        raise AttnbenchError(
            "the dashboard needs Streamlit: pip install 'attnbench[dashboard]'"
        ) from error
    os.environ[STORE] = store
    stay_at_home()
    bootstrap.load_config_options(options)
    bootstrap.run(str(Path(__file__).with_name("app.py")), False, [], options)


def stay_at_home() -> None:
    """Keep Streamlit from asking a web service for this machine's outer address, which it does as
    soon as a page of another origin knocks: "" says that it is known."""
    from streamlit import net_util

    net_util._external_ip = ""
