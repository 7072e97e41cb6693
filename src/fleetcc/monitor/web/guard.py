"""Who may ask the page for what: peers that are admitted, Host headers that are ours, GET and HEAD.

A page of another site can make this browser send requests here, and a name of that site can be made to
resolve to this address (DNS rebinding). So a Host header must be an address, of this connection or loopback,
or a name that was given to us; answers carry no permission for other origins; no request changes anything.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_METHODS: Final = ("GET", "HEAD")
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "fleetcc",  # not which Python
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def is_loopback(address: str) -> bool:
    """Whether the peer is on this machine; an address that cannot be read is not."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return bool((mapped or found).is_loopback)


class Guard:
    """Refuses what is not for us, and puts the headers on every answer."""

    def __init__(self, admits: Callable[[str], bool], names: Collection[str]) -> None:
        self._admits = admits
        self._names = {name.lower().rstrip(".") for name in names} | {"localhost"}

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The application's outermost layer."""
        peer = _address(request, "peername")
        if not self._admits(peer):
            raise web.HTTPForbidden(text=f"{peer or 'this peer'} is not admitted here\n")
        host = request.headers.get("Host", "")
        if not self._is_ours(_name_of(host), _address(request, "sockname")):
            raise web.HTTPMisdirectedRequest(
                text="the Host header names another machine; ask by this one's address, or list its name\n"
            )
        if request.method not in _METHODS:
            raise web.HTTPMethodNotAllowed(request.method, _METHODS, text="nothing can be changed here\n")
        return await handler(request)

    def _is_ours(self, name: str, here: str) -> bool:
        return name in self._names or is_loopback(name) or (bool(here) and name == here.partition("%")[0])


async def put_headers(_request: web.BaseRequest, response: web.StreamResponse) -> None:
    """On every answer of the application, refusals included."""
    response.headers.update(HEADERS)
    response.headers.setdefault("Cache-Control", "no-store")


def _address(request: web.Request, which: str) -> str:
    """The address of one end of the connection, without its port; empty when it has none."""
    place = request.transport.get_extra_info(which) if request.transport else None
    return str(place[0]) if isinstance(place, tuple) and place else ""


def _name_of(host: str) -> str:
    """The Host header without its port: `[::1]:80` is ::1."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")
