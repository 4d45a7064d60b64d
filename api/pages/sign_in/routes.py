"""Sign in with an API key, which becomes a session of this browser, and sign out."""

from fastapi import APIRouter, Response
from starlette.concurrency import run_in_threadpool

from api.access.page_paths import SIGN_IN_PATH, SIGN_OUT_PATH, is_local_path
from api.access.sessions import LIFETIME_S
from api.pages.page import FormDep, PublicPageDep, get_text
from shared.domain.errors import NotAuthenticated

router = APIRouter()
FIRST_PAGE = "/jobs"


@router.get(SIGN_IN_PATH)
def show_sign_in(page: PublicPageDep, next: str = FIRST_PAGE) -> Response:
    """Show the form for a key; where no key is needed, go on to the page."""
    target = next if is_local_path(next) else FIRST_PAGE
    if page.is_known:
        return page.redirect(target)
    return page.render("sign_in/sign_in.html.j2", next=target, error=None)


@router.post(SIGN_IN_PATH)
async def sign_in(page: PublicPageDep, form: FormDep) -> Response:
    """Begin a session, and go on to the page that asked for it."""
    given = get_text(form, "next")
    target = given if is_local_path(given) else FIRST_PAGE
    directory = page.services.key_directory
    try:
        cookie = await page.access.sign_in(page.request.scope, get_text(form, "key"), directory)
    except NotAuthenticated as error:
        return await run_in_threadpool(
            page.render, "sign_in/sign_in.html.j2", status=401, next=target, error=error.message
        )
    response = page.redirect(target)
    page.set_cookie(response, page.access.sessions.cookie_name, cookie, max_age=LIFETIME_S)
    return response


@router.post(SIGN_OUT_PATH)
def sign_out(page: PublicPageDep, _form: FormDep) -> Response:
    """End the session in this browser."""
    response = page.redirect(SIGN_IN_PATH)
    response.delete_cookie(page.access.sessions.cookie_name, httponly=True, samesite="strict")
    response.headers["clear-site-data"] = '"cache"'
    return response
