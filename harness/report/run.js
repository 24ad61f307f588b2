"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const dialog = document.getElementById("cell");
  const table = document.querySelector("table");
  if (!table) return;

  // Everything that came from a world goes through textContent: no name can become markup.
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children.filter((child) => child !== null));
    return made;
  };

  const tree = (verdict) => {
    const list = element("ol", { class: "tree", "aria-label": "The path, component by component" });
    data.trails[verdict.trail].forEach((step, index) => {
      const here = index === verdict.at;
      const refuses = here && verdict.oracle !== "ok";
      const row = element("li", { class: refuses ? "refuses" : here ? "decides" : "" });
      const name = element("span", { class: "name" }, step.name);
      name.style.setProperty("--level", Math.min(step.level, 24));
      row.append(
        element("span", { class: "mode" }, step.mode ?? "does not exist"),
        element("span", { class: "who" }, step.mode === null ? "" : `${step.owner}:${step.group}`),
        name,
      );
      for (const note of step.notes ?? []) name.append(" ", element("span", { class: "note" }, note));
      if (here) for (const entry of step.acl ?? []) name.append(" ", element("span", { class: "note" }, entry));
      if (refuses) name.append(" ", element("strong", {}, "refuses here"));
      list.append(row);
    });
    return list;
  };

  const needs = (verdict) => {
    if (!verdict.needs) return null;
    return `needs ${verdict.needs}, has ${verdict.has || "nothing"}`;
  };

  const widening = (count) =>
    `lets in ${count === 0 ? "no other user" : count === 1 ? "one more user" : `${count} more users`} of this world`;

  const section = (title, ...content) => element("section", {}, element("h3", {}, title), ...content);

  const describe = (verdict) => {
    const body = element("div", { class: "verdict" });
    const outcome = (label, value) =>
      element("span", { class: value === "ok" ? "tag allowed" : "tag refused" }, `${label} `, element("b", {}, value));
    const tags = element("p", { class: "tags" }, outcome("kernel", verdict.outcome), outcome("oracle", verdict.oracle));
    if (verdict.expect) tags.append(outcome("world expects", verdict.expect));
    const agree = verdict.differences.length === 0;
    const told = agree ? "agree" : verdict.unexpected ? "not as the world expects" : "disagree";
    tags.append(element("span", { class: agree ? "tag agree" : "tag disagree" }, told));
    body.append(tags);
    for (const difference of verdict.differences) body.append(element("p", { class: "difference" }, difference));
    body.append(tree(verdict));
    if (verdict.at === null) body.append(element("p", {}, `decided at ${verdict.atPath}`));
    const because = verdict.why.includes(verdict.because) ? null : verdict.because;
    const details = [needs(verdict), verdict.class && `class: ${verdict.class}`, because].filter(Boolean);
    body.append(
      section(
        verdict.oracle === "ok" ? "Why it is allowed" : "Why it is refused",
        element("p", { class: "why" }, verdict.why),
        details.length ? element("p", { class: "because" }, details.join(" · ")) : null,
      ),
    );
    if (verdict.changes.length) {
      const list = element("ol", { class: "changes" });
      for (const change of verdict.changes) {
        list.append(element("li", {}, element("code", { tabindex: 0 }, change.text), " ", widening(change.widens)));
      }
      body.append(section("What would change it, least privilege first", list));
    }
    if (verdict.credentials) {
      const { pid, uid, gid, groups } = verdict.credentials;
      const shown = (value) => (value === null ? "unknown" : value);
      body.append(
        section(
          "What the listener saw",
          element("p", {}, `pid ${shown(pid)}, uid ${shown(uid)}, gid ${shown(gid)}, groups ${groups?.join(" ") || "none"}`),
        ),
      );
    }
    body.append(section("Reproduce", element("code", { class: "command", tabindex: 0 }, data.reproduce)));
    return body;
  };

  const open = (button) => {
    const verdicts = button.dataset.verdicts.split(",").map((index) => data.verdicts[index]);
    document.getElementById("cell-title").textContent = verdicts[0].title;
    document.getElementById("cell-body").replaceChildren(...verdicts.map(describe));
    dialog.showModal();
    dialog.scrollTop = 0;
  };

  const buttons = () => [...table.querySelectorAll("button")].filter((button) => button.offsetParent !== null);

  const focus = (button) => {
    table.querySelector("button[tabindex='0']")?.setAttribute("tabindex", "-1");
    button.setAttribute("tabindex", "0");
    button.focus();
  };

  const neighbour = (button, right, down) => {
    let row = button.closest("tr");
    let column = button.closest("td").cellIndex;
    for (;;) {
      column += right;
      if (down) row = down > 0 ? row.nextElementSibling : row.previousElementSibling;
      const cell = row?.cells[column];
      if (!cell) return null;
      const found = cell.querySelector("button");
      if (found && found.offsetParent !== null) return found;
    }
  };

  table.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    focus(button);
    open(button);
  });

  table.addEventListener("keydown", (event) => {
    const button = event.target.closest("button");
    if (!button || event.altKey || event.metaKey) return;
    const inRow = [...button.closest("tr").querySelectorAll("button")].filter((one) => one.offsetParent !== null);
    const target = {
      ArrowRight: () => neighbour(button, 1, 0),
      ArrowLeft: () => neighbour(button, -1, 0),
      ArrowDown: () => neighbour(button, 0, 1),
      ArrowUp: () => neighbour(button, 0, -1),
      Home: () => (event.ctrlKey ? buttons() : inRow)[0],
      End: () => (event.ctrlKey ? buttons() : inRow).at(-1),
    }[event.key]?.();
    if (target === undefined) return;
    event.preventDefault();
    if (target) focus(target);
  });

  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });

  for (const radio of document.querySelectorAll("input[name='show']")) {
    radio.addEventListener("change", () => {
      document.body.dataset.show = radio.value;
      for (const row of table.tBodies[0].rows) {
        row.classList.remove("empty");
        const wanted = [...row.querySelectorAll("button")].some((button) => button.offsetParent !== null);
        if (!wanted) row.classList.add("empty");
      }
      const shown = buttons();
      if (shown.length && !shown.some((button) => button.tabIndex === 0)) {
        table.querySelector("button[tabindex='0']")?.setAttribute("tabindex", "-1");
        shown[0].setAttribute("tabindex", "0");
      }
    });
  }
})();
