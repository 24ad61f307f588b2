"""macOS's own module, which `urllib.request` asks for the proxies of its settings: there are none."""


def _get_proxies():
    return {}


def _get_proxy_settings():
    return {"exclude_simple": False}
