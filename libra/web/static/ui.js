// Keeps the page's parts as the server has them, and finds rows by what is typed. Without it, every page still works.
"use strict";

(() => {
  const main = document.getElementById("main");
  const link = document.getElementById("link");
  const dirty = new Set(); // parts with a form that somebody has begun to fill in

  const tell = (word, tone) => {
    if (link) {
      link.textContent = word;
      link.dataset.tone = tone;
    }
  };

  const matches = (row, words) => {
    const text = row.textContent.toLowerCase();
    return words.every((word) => text.includes(word));
  };

  const filter = (input) => {
    const part = document.getElementById(input.dataset.filter);
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (part) {
      part.querySelectorAll("[data-row]").forEach((row) => {
        row.hidden = !matches(row, words);
      });
    }
  };

  const filterAll = () => document.querySelectorAll("[data-filter]").forEach(filter);

  // As the server has it, by the server's clock.
  const skew = main ? Date.now() - Date.parse(main.dataset.now) : 0;
  const steps = [[120, 1, "s"], [7200, 60, "min"], [172800, 3600, "h"], [Infinity, 86400, "d"]];

  const age = (moment) => {
    const seconds = Math.max(0, (Date.now() - skew - Date.parse(moment)) / 1000);
    const [, size, unit] = steps.find(([limit]) => seconds < limit);
    return `${Math.floor(seconds / size)} ${unit}`;
  };

  const grow = () => document.querySelectorAll("time[data-age]").forEach((time) => {
    time.textContent = age(time.dateTime);
  });

  // What was open stays open.
  const opened = (part) => {
    const open = [...part.querySelectorAll("details[open]")].map((box) => box.dataset.box);
    return () => part.querySelectorAll("details").forEach((box) => {
      box.open = open.includes(box.dataset.box);
    });
  };

  // What tells an element from its neighbours, before and after it was made anew.
  const face = (element) => JSON.stringify([
    element.id,
    element.getAttribute("href"),
    element.name,
    element.type === "checkbox" || element.type === "radio" ? element.value : null,
    element.matches("button, summary") ? element.textContent.trim() : null,
    element.form ? element.form.getAttribute("action") : null,
  ]);

  // The element that has the focus is another one afterwards: its likeness gets it.
  const remember = (part) => {
    const held = document.activeElement;
    if (!held || !part.contains(held)) {
      return () => {};
    }
    const known = face(held);
    return () => {
      const like = [...part.querySelectorAll(held.tagName)].find((other) => face(other) === known);
      if (like) {
        like.focus({ preventScroll: true });
      }
    };
  };

  const replace = ({ id, html }) => {
    const part = document.getElementById(id);
    if (!part || dirty.has(id)) {
      return;
    }
    const after = [remember(part), opened(part)];
    part.innerHTML = html;
    after.forEach((again) => again());
    grow();
    filterAll();
  };

  const follow = () => {
    const source = new EventSource(main.dataset.live);
    source.addEventListener("open", () => tell("live", "good"));
    source.addEventListener("part", (event) => {
      tell("live", "good");
      replace(JSON.parse(event.data));
    });
    source.addEventListener("away", () => tell("the database does not answer", "bad"));
    source.addEventListener("gone", () => {
      source.close();
      location.reload();
    });
    source.addEventListener("error", () => {
      tell("not live, trying again", "bad");
      if (source.readyState === EventSource.CLOSED) {
        setTimeout(follow, 3000);
      }
    });
    addEventListener("pagehide", () => source.close(), { once: true });
  };

  document.addEventListener("input", (event) => {
    if (event.target.matches("[data-filter]")) {
      filter(event.target);
      return;
    }
    const part = event.target.closest("[data-part]");
    if (part) {
      dirty.add(part.id);
    }
  });

  document.addEventListener("keydown", (event) => {
    const input = document.querySelector("[data-filter]");
    const typing = event.target.matches("input, select, textarea");
    if (event.key === "/" && input && !typing) {
      event.preventDefault();
      input.focus();
    } else if (event.key === "Escape" && event.target.matches("[data-filter]")) {
      event.target.value = "";
      filter(event.target);
    }
  });

  if (main && main.dataset.live) {
    follow();
    setInterval(grow, 1000);
  }
})();
