/* What the portal adds where script runs: theme, local times, copying, shortcuts. Every page works without it. */
(() => {
  "use strict";
  const root = document.documentElement;
  const saved = key => { try { return localStorage.getItem(key) } catch { return null } };
  const save = (key, value) => { try { localStorage.setItem(key, value) } catch { /* private windows forget */ } };

  // Before the first paint, so that a page never flashes in the other theme.
  const theme = saved("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  const isDark = () => root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;

  const say = text => {
    const box = document.getElementById("toasts");
    if (!box) return;
    const toast = document.createElement("div");
    toast.textContent = text;
    box.append(toast);
    setTimeout(() => toast.remove(), 4000);
  };

  const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60]];

  // The server writes UTC; the reader's own zone and the passing minutes belong to the browser.
  const showTimes = () => {
    for (const el of document.querySelectorAll("time[datetime]")) {
      const at = new Date(el.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      el.title = exact.format(at);
      if (el.dataset.as === "exact") { el.textContent = exact.format(at); continue }
      const seconds = (at.getTime() - Date.now()) / 1000;
      const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? [];
      el.textContent = unit ? relative.format(Math.trunc(seconds / size), unit) : seconds > 0 ? "in a moment" : "just now";
    }
  };

  // Buttons that only make sense with script are hidden until it runs.
  const showButtons = () => {
    for (const el of document.querySelectorAll("[data-copy][hidden], #theme[hidden]")) el.hidden = false;
  };

  const copy = async button => {
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const text = source.value ?? source.textContent;
    try {
      await navigator.clipboard.writeText(text.trim());
      say("Copied");
    } catch {
      getSelection().selectAllChildren(source);
      say("Selected. Press Ctrl+C to copy");
    }
  };

  const GO = { d: "/", c: "/customers", p: "/people", r: "/runs", a: "/agents" };
  let waitingForSecond = false;
  const onKey = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if ((event.ctrlKey || event.metaKey) && event.key === "k") {
        event.preventDefault();
        document.getElementById("search")?.focus();
      }
      return;
    }
    if (saved("keys") === "off" && event.key !== "?") return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    if (waitingForSecond) {
      waitingForSecond = false;
      if (GO[event.key]) location.assign(GO[event.key]);
      return;
    }
    if (event.key === "g") {
      waitingForSecond = true;
      setTimeout(() => { waitingForSecond = false }, 1200);
    } else if (event.key === "/") {
      event.preventDefault();
      document.getElementById("search")?.focus();
    } else if (event.key === "?") {
      const sheet = document.getElementById("keys");
      const on = document.getElementById("keys-on");
      if (!sheet || sheet.open) return;
      on.checked = saved("keys") !== "off";
      sheet.showModal();
    }
  };

  const onClick = event => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.copy) copy(button);
    if (button.id === "keys-close") document.getElementById("keys").close();
    if (button.id === "theme") {
      root.dataset.theme = isDark() ? "light" : "dark";
      save("theme", root.dataset.theme);
    }
  };

  // Ticking an organisational unit covers everything below it; the boxes below say so.
  const onChange = event => {
    if (event.target.id === "keys-on") save("keys", event.target.checked ? "on" : "off");
    const all = event.target.dataset.all;
    if (all) for (const box of document.querySelectorAll(`input[name="${all}"]`)) box.checked = event.target.checked;
  };

  const refresh = () => { showTimes(); showButtons() };
  document.addEventListener("click", onClick);
  document.addEventListener("change", onChange);
  document.addEventListener("keydown", onKey);
  document.addEventListener("htmx:after:swap", refresh);
  document.addEventListener("DOMContentLoaded", () => {
    refresh();
    setInterval(showTimes, 20000);
    document.querySelector("[autofocus][role=alert]")?.focus();
  });
})();
