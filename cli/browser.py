"""Opening of the service's page in the browser of whoever has started the service."""

import os
import threading
import webbrowser


def open_page(url: str) -> bool:
    """Open the page in the background; return False where there is no browser with a window.

    A browser that runs in the terminal would take it from the service's output, so it is used only
    if the variable BROWSER asks for it.
    """
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    is_in_terminal = type(browser) is webbrowser.GenericBrowser
    if is_in_terminal and not os.environ.get("BROWSER"):
        return False
    # some browsers only return when they are closed
    threading.Thread(target=browser.open, args=(url,), daemon=True).start()
    return True
