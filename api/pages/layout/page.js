"use strict";

/* Keeps an open page up to date, and adds keys. Everything works without it.

   Elements with `data-live` and an id are replaced by those of the same address, fetched anew: on
   events of the stream in `data-stream`, every `data-poll` seconds, and at most once a second.
   With `data-still`, the page is a form or is costly to make, and stays as it is. */
(() => {
  const MIN_REFRESH_MS = 1000;
  const RETRY_MS = 3000;
  const find = (id) => document.getElementById(id);
  const main = () => find("main");

  let source = null;
  let etag = null;
  let lastEvent = null;
  let lastRefresh = Date.now();
  let refreshTimer = 0;
  let retryTimer = 0;
  let isFetching = false;
  let isMissed = false; // news came during a fetch
  let isWaiting = false; // news came for an element that has the focus

  /* the connection */

  function showLost() {
    const banner = find("connection");
    if (!banner.hidden) return;
    const time = new Date(lastRefresh).toTimeString().slice(0, 8);
    banner.textContent = `As of ${time}, connecting again`;
    banner.hidden = false;
  }

  function hideLost() {
    find("connection").hidden = true;
  }

  function closeStream() {
    if (source !== null) source.close();
    source = null;
    clearTimeout(retryTimer);
  }

  function openStream() {
    const path = main().dataset.stream;
    if (source !== null || path === undefined || document.hidden) return;
    lastEvent ??= main().dataset.after ?? null;
    const query = lastEvent === null ? "" : `?after=${encodeURIComponent(lastEvent)}`;
    source = new EventSource(path + query);
    const receive = (event) => {
      lastEvent = event.lastEventId || lastEvent;
      scheduleRefresh();
    };
    source.addEventListener("message", receive);
    source.addEventListener("metrics", receive);
    source.addEventListener("done", () => {
      closeStream();
      scheduleRefresh();
    });
    // the page itself tells whether the service is gone or the job has ended
    source.addEventListener("error", () => {
      const isClosed = source?.readyState === EventSource.CLOSED;
      if (isClosed) closeStream();
      scheduleRefresh();
      if (isClosed) retryTimer = setTimeout(openStream, RETRY_MS);
    });
  }

  /* news */

  function scheduleRefresh() {
    if (document.hidden || refreshTimer !== 0 || "still" in main().dataset) return;
    const wait = Math.max(0, lastRefresh + MIN_REFRESH_MS - Date.now());
    refreshTimer = setTimeout(refresh, wait);
  }

  async function refresh() {
    refreshTimer = 0;
    if (isFetching) {
      isMissed = true;
      return;
    }
    isFetching = true;
    try {
      const headers = { accept: "text/html" };
      if (etag !== null) headers["if-none-match"] = etag;
      const answer = await fetch(location.href, { headers, cache: "no-store" });
      if (answer.status === 401 || answer.status === 404) location.reload();
      if (answer.ok) {
        etag = answer.headers.get("etag");
        await replaceElements(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
      if (answer.ok || answer.status === 304) {
        lastRefresh = Date.now();
        hideLost();
      } else if (answer.status >= 500 || answer.status === 429) {
        showLost();
      }
    } catch {
      showLost();
      lastRefreshFailed();
    } finally {
      isFetching = false;
      if (isMissed) {
        isMissed = false;
        scheduleRefresh();
      }
    }
  }

  function lastRefreshFailed() {
    clearTimeout(retryTimer);
    retryTimer = setTimeout(() => {
      scheduleRefresh();
      openStream();
    }, RETRY_MS);
  }

  function holdsFocus(element) {
    const focused = document.activeElement;
    return element !== focused && element.contains(focused) && !focused.matches("a, [tabindex]");
  }

  async function replaceElements(fresh) {
    const content = fresh.getElementById("main");
    if (content === null) return;
    isWaiting = false;
    for (const element of document.querySelectorAll("[data-live][id]")) {
      const replacement = fresh.getElementById(element.id);
      if (replacement === null || replacement.isEqualNode(element)) continue;
      if (holdsFocus(element) || element.querySelector("input:checked") !== null) isWaiting = true;
      else await htmx.swap({ target: element, text: replacement.outerHTML, swap: "outerMorph" });
    }
    updateMain(content);
  }

  function updateMain(content) {
    const before = main().dataset;
    const { announce, stream, poll } = content.dataset;
    if (announce !== undefined && announce !== before.announce) {
      find("announcement").textContent = announce;
    }
    for (const [name, value] of Object.entries({ announce, stream, poll })) {
      if (value === undefined) delete before[name];
      else before[name] = value;
    }
    if (stream === undefined) closeStream();
    else openStream();
    updateTicks();
  }

  /* keys */

  const rows = () => [...document.querySelectorAll("[data-row]")];

  function moveRow(step) {
    const links = rows().map((row) => row.querySelector("a")).filter((link) => link !== null);
    if (links.length === 0) return;
    const current = links.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
    const next = current === -1 ? (step > 0 ? 0 : links.length - 1) : current + step;
    links[Math.min(Math.max(next, 0), links.length - 1)].focus();
  }

  function handleKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea, dialog[open]") !== null) return;
    const search = document.querySelector("[data-search]");
    if (event.key === "/" && search !== null) search.focus();
    else if (event.key === "j") moveRow(1);
    else if (event.key === "k") moveRow(-1);
    else if (event.key === "?") find("keys").showModal();
    else return;
    event.preventDefault();
  }

  /* a button that needs some ticked boxes: data-ticks="fewest most" */

  function updateTicks() {
    for (const button of document.querySelectorAll("[data-ticks]")) {
      const [fewest, most] = button.dataset.ticks.split(" ").map(Number);
      const count = button.form.querySelectorAll("input[type=checkbox]:checked").length;
      button.disabled = count < fewest || count > most;
    }
  }

  /* start */

  document.addEventListener("keydown", handleKey);
  document.addEventListener("change", updateTicks);
  document.addEventListener("focusout", () => isWaiting && scheduleRefresh());
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) closeStream();
    else {
      scheduleRefresh();
      openStream();
    }
  });
  addEventListener("pagehide", closeStream);
  addEventListener("pageshow", openStream);
  addEventListener("online", scheduleRefresh);
  setInterval(() => {
    const seconds = Number(main().dataset.poll ?? 0);
    if (seconds > 0 && Date.now() - lastRefresh >= seconds * 1000) scheduleRefresh();
  }, MIN_REFRESH_MS);

  const help = find("show-keys");
  help.hidden = false;
  help.addEventListener("click", () => find("keys").showModal());
  updateTicks();
})();
