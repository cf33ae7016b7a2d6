/* The reading of an archive, in the browser, from files alone: list of patients, record, documents out of PATnnnnn.ZIP, digests.
   Values of the record only ever become text nodes and attributes of text; no markup is made from them. */
"use strict";
const TRANSVASE = (() => {
  const STEP = 100, AT_ONCE = 6;
  const state = { language: "fr", practice: null, labels: null, rows: [], loaded: 0, query: "", shown: STEP, current: null, files: new Map(),
    manifest: null, waiting: null, complete: false, verdicts: new Map() };
  try { state.language = localStorage.getItem("transvase-language") === "en" ? "en" : "fr"; } catch { /* no storage for local pages */ }
  const say = (key, facts = {}) => (state.labels[state.language].say[key] || key).replace(/\{(\w+)\}/g, (_, name) => String(facts[name] ?? ""));
  const section = (key) => state.labels[state.language].section[key] || key;
  const column = (key) => state.labels[state.language].column[key] || key;
  const code = (group, value) => state.labels[state.language].code[group ? group + "." + value : value] ?? String(value);
  const count = (n) => n.toLocaleString(state.language === "fr" ? "fr-FR" : "en-GB");

  /* -- Elements ------------------------------------------------------------------------------------------------------------------ */
  const SVG = "http://www.w3.org/2000/svg";
  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value === true ? "" : String(value));
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
    return node;
  }
  const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  const id = (name) => document.getElementById(name);

  function date(value) {
    if (!value) return "";
    const found = /^(\d{4})(?:-(\d\d))?(?:-(\d\d))?(?:T(\d\d:\d\d))?/.exec(value);
    if (!found) return value;
    const day = state.language === "fr" ? [found[3], found[2], found[1]].filter(Boolean).join("/") : [found[1], found[2], found[3]].filter(Boolean).join("-");
    return found[4] && found[4] !== "00:00" ? day + "\u00a0" + found[4] : day;
  }
  const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

  /* -- Index of patients --------------------------------------------------------------------------------------------------------- */
  function script(source, done) {
    const node = el("script", { src: source });
    node.onload = () => { node.remove(); done(true); };
    node.onerror = () => { node.remove(); done(false); };
    document.head.append(node);
  }
  function index(rows) {
    for (const [zip, number, family, given, used, birth, sex, key] of rows) {
      const day = (birth || "").slice(0, 10), parts = day.split("-");
      const french = parts.slice().reverse().join("/");
      const name = [family, given].filter(Boolean).join(" ") || used || "?";
      state.rows.push({ zip, number, name, family, given, used, birth, sex, key, sort: fold(name),
        find: fold([family, given, used, french, parts.slice().reverse().join(""), day, key, zip].filter(Boolean).join(" ")) });
    }
  }
  function load() {
    const shards = state.practice.shards, total = shards.length;
    let next = 0, drawn = 0;
    const more = () => {
      if (next >= total) return;
      script("index/" + shards[next++] + ".js", () => {
        state.loaded += 1;
        if (state.loaded === total) {
          state.complete = true; order(); list();
          if (state.rows.length === 1 && !location.hash) location.hash = state.rows[0].number;
          else route();
        }
        else if (state.loaded === 1 || state.loaded >= drawn * 2) { drawn = state.loaded; order(); list(); route(); }
        else progress();
        more();
      });
    };
    if (!total) { state.complete = true; list(); }
    for (let i = 0; i < AT_ONCE; i++) more();
  }
  const order = () => state.rows.sort((a, b) => (a.sort < b.sort ? -1 : a.sort > b.sort ? 1 : a.number < b.number ? -1 : 1));
  function matching() {
    const words = fold(state.query).split(/\s+/).filter(Boolean);
    return words.length ? state.rows.filter((row) => words.every((word) => row.find.includes(word))) : state.rows;
  }
  function progress() {
    id("progress").textContent = state.complete ? "" : say("loading", { done: count(state.loaded), total: count(state.practice.shards.length) });
  }
  function list() {
    const found = matching();
    progress();
    id("found").textContent = found.length === 0 ? (state.complete ? say("found_none") : "") : found.length === 1 ? say("found_one") : say("found", { n: count(found.length) });
    id("rows").replaceChildren(...found.slice(0, state.shown).map((row) => el("li", null,
      el("a", { href: "#" + row.number, "aria-current": row.number === state.current ? "true" : null },
        el("bdi", null, row.name), el("small", { class: "muted" }, [date(row.birth), row.sex, row.key].filter(Boolean).join(" · "))))));
    const left = Math.min(STEP, found.length - state.shown);
    id("more").hidden = left <= 0;
    id("more").textContent = say("more", { n: left });
  }
  function walk(event) {
    const links = [...id("rows").querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: at < 0 ? null : 0, End: at < 0 ? null : links.length - 1 }[event.key];
    if (to === undefined || to === null || !links.length) return;
    event.preventDefault();
    (to < 0 ? id("search") : links[Math.min(to, links.length - 1)]).focus();
  }

  /* -- A record ------------------------------------------------------------------------------------------------------------------ */
  function route() {
    const number = location.hash.slice(1);
    // The name of the patient's ZIP comes with the list.
    if (!/^\d{6,}$/.test(number) || number === state.current || (!state.complete && !state.rows.some((row) => row.number === number))) return;
    state.current = number;
    for (const link of id("rows").querySelectorAll("a")) link.hash === "#" + number ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
    state.record = null;
    id("record").replaceChildren(el("p", { role: "status" }, say("opening")));
    script("data/" + number.slice(0, -3) + "/" + number + ".js", (good) => {
      if (state.current !== number) return;
      if (good && state.record && state.record.number === number) { draw(); id("name").focus(); }
      else id("record").replaceChildren(el("p", { role: "alert" }, say("missing")));
    });
  }
  function patient(record) {
    if (record.number !== state.current) return;
    const row = state.rows.find((one) => one.number === record.number);
    state.record = { ...record, zip: row ? row.zip : "PATnnnnn.ZIP" };
  }

  const names = (identity) => [identity.birth_family || identity.used_family, identity.birth_given || identity.used_given].filter(Boolean).join(" ") || "?";
  function shown(kind, value) {
    if (value === null || value === undefined) return "";
    if (kind === "date") return date(value);
    if (kind === "flag") return code("", value ? "yes" : "no");
    if (kind === "number") return state.language === "fr" ? String(value).replace(/(\d)\.(?=\d)/g, "$1,") : String(value);
    if (kind === "lines") return value.map((line) => line.filter(Boolean).join(" · ")).join("\n");
    if (["text", "long", "person", "copy", "uri"].includes(kind)) return String(value);
    return code(kind, value);
  }
  const columns = (name) => state.labels.sections[name];
  const place = (name, key) => columns(name).findIndex(([c]) => c === key);
  function table(name, rows) {
    const used = columns(name).filter((_, at) => rows.some((row) => row[at] !== null && row[at] !== undefined && shown(columns(name)[at][1], row[at]) !== ""));
    const body = rows.map((row) => el("tr", { class: name === "lab_result" && /^[LHA]/.test(row[place(name, "flag")] || "") ? "off" : null },
      ...used.map((spec) => {
        const at = columns(name).indexOf(spec), kind = spec[1];
        const css = kind === "date" ? "d" : spec[0] === "value" ? "n v" : kind === "number" ? "n" : kind === "long" || kind === "lines" ? "long" : spec[0] === "assertion" ? "said" : null;
        return el("td", { class: css, dir: kind === "text" || kind === "long" ? "auto" : null }, shown(kind, row[at]));
      })));
    return el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": section(name) },
      el("table", null, el("thead", null, el("tr", null, ...used.map(([c]) => el("th", { scope: "col" }, column(c))))), el("tbody", null, ...body)));
  }
  const number = (value) => { const found = value === null || value === undefined || String(value).trim() === "" ? NaN : Number(value); return Number.isFinite(found) ? found : null; };
  function series(name, rows) {
    const found = new Map();
    for (const row of rows) {
      const value = number(row[place(name, "value")]), day = row[place(name, "measured")];
      if (value === null || !day || (place(name, "status") >= 0 && row[place(name, "status")] === "cancelled")) continue;
      const label = row[place(name, "label")] || "", unit = row[place(name, "unit")] || "", key = label + "\u0000" + unit;
      if (!found.has(key)) {
        const [low, high] = String(place(name, "range") < 0 ? "" : row[place(name, "range")] || "").split("–").map(number);
        found.set(key, { label, unit, points: [], low: low ?? null, high: high ?? null });
      }
      found.get(key).points.push([day, value]);
    }
    const kept = [...found.values()].filter((one) => one.points.length > 1).sort((a, b) => (a.label < b.label ? -1 : a.label > b.label ? 1 : a.unit < b.unit ? -1 : 1));
    for (const one of kept) one.points.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : a[1] - b[1]));
    return kept;
  }
  function chart(one) {
    const values = one.points.map((p) => p[1]), low = Math.min(...values), high = Math.max(...values);
    const bottom = Math.min(low, one.low ?? low), top = Math.max(high, one.high ?? high), span = top - bottom || 1;
    const times = one.points.map((p) => Date.parse(p[0].slice(0, 10)) || 0), first = times[0], width = times[times.length - 1] - first || 1;
    const x = (t) => 34 + 250 * (t - first) / width, y = (v) => 70 - 56 * (v - bottom) / span, text = (v) => shown("number", +v.toPrecision(6));
    const last = one.points[one.points.length - 1];
    const told = say("chart", { label: one.label, n: one.points.length, first: date(one.points[0][0].slice(0, 10)), last: date(last[0].slice(0, 10)), low: text(low), high: text(high), unit: one.unit, value: text(last[1]) });
    const band = one.low !== null || one.high !== null ? svg("rect", { class: "band", x: 34, width: 250, y: y(one.high ?? top), height: Math.max(1, y(one.low ?? bottom) - y(one.high ?? top)) }) : null;
    const out = (v) => (one.low !== null && v < one.low) || (one.high !== null && v > one.high);
    return el("figure", null, el("figcaption", null, el("span", { class: "t" }, one.label), el("span", null, text(last[1]) + " " + one.unit)),
      svg("svg", { viewBox: "0 0 300 92", role: "img", "aria-label": told }, band, svg("path", { class: "axis", d: "M34 74H290", fill: "none" }),
        svg("text", { x: 30, y: y(top) + 4, "text-anchor": "end" }, text(top)), svg("text", { x: 30, y: y(bottom) + 4, "text-anchor": "end" }, top === bottom ? "" : text(bottom)),
        svg("text", { x: 34, y: 88 }, date(one.points[0][0].slice(0, 10))), svg("text", { x: 290, y: 88, "text-anchor": "end" }, date(last[0].slice(0, 10))),
        svg("polyline", { class: "line", points: one.points.map((p, i) => x(times[i]).toFixed(1) + "," + y(p[1]).toFixed(1)).join(" ") }),
        ...one.points.map((p, i) => svg("circle", { class: out(p[1]) ? "out" : "dot", cx: x(times[i]).toFixed(1), cy: y(p[1]).toFixed(1), r: 3 }))));
  }
  function measures(name, rows) {
    const charts = series(name, rows);
    const whole = table(name, rows);
    return [charts.length ? el("div", { class: "charts" }, ...charts.map(chart)) : null,
      charts.length ? el("details", { open: rows.length <= 12 || null }, el("summary", null, say("table_of", { n: count(rows.length) })), whole) : whole];
  }
  const notes = (name, rows) => rows.map((row) => el("article", { class: "note" },
    el("h4", { dir: "auto" }, [date(row[0]), row[1]].filter(Boolean).join(" · ")), row[2] ? el("p", { class: "muted" }, row[2]) : null, el("p", { class: "t", dir: "auto" }, row[3] || "")));
  const choices = (values) => [el("option", { value: "" }, say("all")), ...[...new Set(values.filter(Boolean))].sort().map((v) => el("option", { value: v }, v))];
  function documents(rows) {
    const at = (key) => place("document", key);
    const type = el("select", { id: "f-type" }, ...choices(rows.map((r) => r[at("type")]))), author = el("select", { id: "f-author" }, ...choices(rows.map((r) => r[at("author")])));
    const from = el("input", { type: "date", id: "f-from" }), to = el("input", { type: "date", id: "f-to" }), words = el("input", { type: "search", id: "f-text" });
    const result = el("p", { role: "status", class: "muted" }), body = el("tbody");
    const heads = ["act", "type", "title", "author", "form"].filter((key) => rows.some((r) => r[at(key)]));
    const refresh = () => {
      const kept = rows.filter((r) => {
        const day = (r[at("act")] || "").slice(0, 10);
        return (!type.value || r[at("type")] === type.value) && (!author.value || r[at("author")] === author.value) && (!from.value || (day && day >= from.value)) &&
          (!to.value || (day && day <= to.value)) && fold(words.value).split(/\s+/).every((w) => fold(r[at("title")] || "").includes(w));
      });
      result.textContent = say("shown", { n: count(kept.length), total: count(rows.length) });
      body.replaceChildren(...kept.map((r) => el("tr", null, ...heads.map((key) => el("td", { class: key === "act" || key === "form" ? "d" : null, dir: key === "title" ? "auto" : null },
        key === "form" ? actions(r, at) : [shown(columns("document")[at(key)][1], r[at(key)]), key === "title" && r[at("version")] ? " (v" + r[at("version")] + ")" : ""].join("")))))) ;
    };
    for (const field of [type, author, from, to, words]) field.addEventListener("input", refresh);
    refresh();
    const field = (key, input) => el("div", null, el("label", { for: input.id }, say(key)), input);
    return [el("div", { class: "filters", role: "search", "aria-label": section("document") }, field("filter_type", type), field("filter_author", author), field("filter_from", from), field("filter_to", to), field("filter_text", words)),
      result, el("div", { class: "wide", tabindex: "0", role: "group", "aria-label": section("document") }, el("table", null, el("thead", null, el("tr", null, ...heads.map((key) => el("th", { scope: "col" }, column(key))))), body))];
  }
  function actions(row, at) {
    const copy = row[at("copy")], uri = row[at("uri")], title = row[at("title")] || row[at("type")] || "";
    const out = [];
    const named = (what) => say("open_of", { what, title });
    if (copy && state.record.beside) out.push(el("a", { href: copy.split("/").map(encodeURIComponent).join("/"), target: "_blank", rel: "noopener", "aria-label": named(say("open_pdf")) }, say("open_pdf")));
    else if (copy) out.push(el("button", { type: "button", class: "link", "aria-label": named(say("open_pdf")), onclick: () => open(copy, "application/pdf") }, say("open_pdf")));
    if (uri && uri.endsWith(".XML")) out.push(" · ", el("button", { type: "button", class: "link noprint", "aria-label": named(say("open_cda")), onclick: () => open("IHE_XDM/SUBSET01/" + uri, "text/plain;charset=utf-8") }, say("open_cda")));
    if (!out.length) out.push(el("span", { class: "muted" }, code("form", row[at("form")])));
    return out;
  }
  function told(name, first, n) {
    const rows = state.record.tables[name], keys = state.labels.told[name];
    if (!keys.length) {
      const labels = [...new Set(rows.slice(first, first + n).map((r) => r[place(name, "label")]).filter(Boolean))];
      return say(name === "lab_result" ? "results_of" : "measures_of", { n, names: labels.slice(0, 5).join(", ") + (labels.length > 5 ? "…" : "") });
    }
    return keys.map((key) => shown(columns(name)[place(name, key)][1], rows[first][place(name, key)])).filter(Boolean).join(" · ");
  }
  function timeline(events) {
    const kinds = [...new Set(events.map((e) => e[1]))], off = new Set(), result = el("p", { role: "status", class: "muted" }), body = el("ol", { class: "events" });
    let most = 60;
    const more = el("button", { type: "button", class: "noprint", onclick: () => { most += 200; refresh(); } });
    const refresh = () => {
      const kept = events.filter((e) => !off.has(e[1]));
      result.textContent = say("shown_events", { n: count(kept.length) });
      body.replaceChildren(...kept.slice(0, most).map(([day, name, first, n]) => el("li", null, el("span", { class: "d" }, date(day) || say("no_date")),
        el("span", { class: "k" }, section(name)), el("span", { class: "w t", dir: "auto" }, told(name, first, n)))));
      more.hidden = kept.length <= most;
      more.textContent = say("more", { n: Math.min(200, kept.length - most) });
    };
    refresh();
    return [el("fieldset", null, el("legend", null, say("filter_kind")), ...kinds.map((name) => el("label", null,
      el("input", { type: "checkbox", checked: true, onchange: (e) => { e.target.checked ? off.delete(name) : off.add(name); refresh(); } }), section(name)))), result, body, more];
  }
  function draw() {
    const record = state.record, identity = record.identity;
    const parts = ["identity", ...state.labels.order.filter((name) => record.tables[name] || state.labels.always.includes(name)), "timeline", "integrity"];
    const title = [identity.birth_date ? say("born") + " " + date(identity.birth_date) : "", identity.death_date ? say("died") + " " + date(identity.death_date) : "", identity.key ? say("record") + " " + identity.key : ""].filter(Boolean).join(" · ");
    const contents = (name) => name === "identity" ? el("dl", { class: "facts" }, ...state.labels.identity.filter(([key]) => identity[key] !== undefined).map(([key, kind]) =>
        el("div", null, el("dt", null, column(key)), el("dd", { dir: "auto" }, shown(kind, identity[key])))))
      : state.labels.always.includes(name) && !record.tables[name] ? el("p", { class: "muted" }, say("none")) : name === "timeline" ? timeline(record.timeline) : name === "integrity" ? integrity(record) : name === "document" ? documents(record.tables[name])
      : name === "vital_sign" || name === "lab_result" ? measures(name, record.tables[name]) : name === "note" || name === "personal_note" ? notes(name, record.tables[name]) : table(name, record.tables[name]);
    document.title = names(identity) + " · " + say("title");
    id("record").replaceChildren(
      el("div", { class: "who" }, el("div", null, el("h2", { id: "name", tabindex: "-1", dir: "auto" }, names(identity)), el("p", { class: "muted" }, title)),
        el("button", { type: "button", class: "noprint", onclick: () => print() }, say("print"))),
      record.important ? el("p", { class: "important" }, el("strong", null, say("important") + " : "), el("span", { class: "t" }, record.important)) : "",
      el("nav", { class: "parts", "aria-label": say("sections") }, ...parts.map((name) => el("a", { href: "#p-" + name, onclick: (event) => { event.preventDefault(); const head = id("p-" + name); head.scrollIntoView(); head.focus({ preventScroll: true }); } }, section(name)))),
      ...parts.map((name) => el("section", { "aria-labelledby": "p-" + name }, el("h3", { id: "p-" + name, tabindex: "-1" }, section(name)), contents(name))),
      el("p", { class: "muted" }, say("left_out", { zip: record.zip })));
    id("main").scrollTop = 0;
    // What is jumped to stands under the parts of the record, however many lines they take.
    id("main").style.scrollPaddingTop = id("record").querySelector(".parts").offsetHeight + 8 + "px";
  }

  /* -- Files of the archive: chosen by the reader, read in place ------------------------------------------------------------------ */
  async function zipped(file, name) {
    const tail = new DataView(await file.slice(Math.max(0, file.size - 66000)).arrayBuffer());
    let end = tail.byteLength - 22;
    while (end >= 0 && tail.getUint32(end, true) !== 0x06054b50) end--;
    if (end < 0) throw new Error("zip");
    const directory = new DataView(await file.slice(tail.getUint32(end + 16, true), tail.getUint32(end + 16, true) + tail.getUint32(end + 12, true)).arrayBuffer());
    const decoder = new TextDecoder();
    for (let at = 0; at + 46 <= directory.byteLength && directory.getUint32(at, true) === 0x02014b50;) {
      const length = directory.getUint16(at + 28, true), method = directory.getUint16(at + 10, true), packed = directory.getUint32(at + 20, true), offset = directory.getUint32(at + 42, true);
      if (decoder.decode(new Uint8Array(directory.buffer, at + 46, length)) === name) {
        const head = new DataView(await file.slice(offset, offset + 30).arrayBuffer());
        const start = offset + 30 + head.getUint16(26, true) + head.getUint16(28, true), body = file.slice(start, start + packed);
        if (method === 0) return body;
        if (method !== 8) throw new Error("zip");
        return await new Response(body.stream().pipeThrough(new DecompressionStream("deflate-raw"))).blob();
      }
      at += 46 + length + directory.getUint16(at + 30, true) + directory.getUint16(at + 32, true);
    }
    throw new Error("zip");
  }
  async function open(name, type) {
    const zip = state.record.zip, file = state.files.get(zip);
    if (!file) { choose(() => open(name, type)); return; }
    try {
      const url = URL.createObjectURL(new Blob([await zipped(file, name)], { type }));
      if (!window.open(url, "_blank")) tell(el("a", { href: url, target: "_blank" }, say("blocked_window")));
    } catch { tell(say("unreadable", { zip })); }
  }
  function tell(what) { id("notice").replaceChildren(what); }
  function choose(then) {
    state.waiting = then;
    const zip = state.record ? state.record.zip : "PATnnnnn.ZIP", box = id("choose");
    const folder = el("input", { type: "file", id: "c-folder", multiple: true, onchange: chosen }), single = el("input", { type: "file", id: "c-file", multiple: true, accept: ".zip,.ZIP,.xml,.XML", onchange: chosen });
    folder.webkitdirectory = true;
    box.replaceChildren(el("h2", { id: "c-title" }, say("choose_title")), el("p", null, say("choose_text", { zip })),
      el("label", { for: "c-folder" }, say("choose_folder")), folder, el("label", { for: "c-file" }, say("choose_file")), single,
      el("p", { id: "c-said", role: "alert", class: "bad" }), el("button", { type: "button", onclick: () => box.close() }, say("close")));
    box.showModal();
  }
  async function chosen(event) {
    for (const file of event.target.files) {
      if (/^PAT\d{5,}\.ZIP$/.test(file.name) && !/\/VIEWER\//.test(file.webkitRelativePath || "")) state.files.set(file.name, file);
      else if (file.name === "MANIFEST.XML" && file.size < 200000000) state.manifest = manifest(await file.text());
    }
    if (state.record && !state.files.has(state.record.zip)) { id("c-said").textContent = say("not_there", { zip: state.record.zip }); return; }
    id("choose").close();
    const then = state.waiting;
    state.waiting = null;
    if (then) then();
  }
  function manifest(text) {
    const found = new Map(), root = new DOMParser().parseFromString(text, "application/xml");
    const value = (node, name) => { const child = [...node.children].find((c) => c.localName === name); return child ? child.textContent.trim() : ""; };
    for (const node of root.getElementsByTagNameNS("*", "Archive")) found.set(value(node, "archiveid"), value(node, "hash").toLowerCase());
    return found;
  }

  /* -- Digests ------------------------------------------------------------------------------------------------------------------- */
  async function digest(file) {
    const bytes = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
    return [...new Uint8Array(bytes)].map((b) => b.toString(16).padStart(2, "0")).join("");
  }
  const able = () => Boolean(window.isSecureContext && window.crypto && crypto.subtle);
  function integrity(record) {
    const result = el("div", { id: "verdict", role: "status" }, el("p", null, able() ? say("integrity_none") : say("integrity_unable")));
    const known = state.verdicts.get(record.zip);
    if (known) result.replaceChildren(verdict(record.zip, known));
    return [el("p", null, say("integrity_expected", { zip: record.zip }), el("br"), el("code", null, record.sha256)), result,
      able() ? el("p", { class: "noprint" }, el("button", { type: "button", onclick: () => check(record) }, say("integrity_check")), " ",
        el("button", { type: "button", onclick: () => everything() }, say("integrity_all"))) : null, el("p", { class: "muted" }, say("integrity_verify"))];
  }
  const verdict = (zip, known) => el("p", { class: known === "bad" ? "bad" : "good" }, say("integrity_" + known, { zip }));
  async function check(record) {
    const file = state.files.get(record.zip);
    if (!file) { choose(() => check(record)); return; }
    id("verdict").replaceChildren(el("p", null, say("integrity_running", { done: 0, total: 1 })));
    let known;
    try {
      const found = await digest(file);
      const listed = state.manifest ? state.manifest.get(record.zip) : undefined;
      known = found !== record.sha256 || (state.manifest && found !== listed) ? "bad" : state.manifest ? "good" : "listed";
    } catch { known = "bad"; }
    state.verdicts.set(record.zip, known);
    if (state.record === record) id("verdict").replaceChildren(verdict(record.zip, known));
  }
  async function everything() {
    if (!state.manifest || !state.files.size) { choose(() => everything()); return; }
    let good = 0, bad = 0;
    for (const [zip, file] of state.files) {
      let known = "bad";
      try { known = (await digest(file)) === state.manifest.get(zip) ? "good" : "bad"; } catch { /* unreadable is different */ }
      state.verdicts.set(zip, known);
      known === "good" ? good++ : bad++;
      if (id("verdict")) id("verdict").replaceChildren(el("p", null, say("integrity_running", { done: count(good + bad), total: count(state.files.size) })));
    }
    if (id("verdict")) id("verdict").replaceChildren(el("p", { class: bad ? "bad" : "good" }, say("integrity_sum", { good: count(good), bad: count(bad) })));
  }

  /* -- The page ------------------------------------------------------------------------------------------------------------------ */
  function frame() {
    document.documentElement.lang = state.language;
    document.title = say("title");
    const other = state.language === "fr" ? "en" : "fr", facts = { practice: state.practice.practice, date: date(state.practice.date) };
    const search = el("input", { type: "search", id: "search", autocomplete: "off", spellcheck: "false", placeholder: say("search_hint"), "aria-describedby": "help", value: state.query });
    search.addEventListener("input", () => { state.query = search.value; state.shown = STEP; list(); });
    search.addEventListener("keydown", (event) => { if (event.key === "Enter") { const first = id("rows").querySelector("a"); if (first) first.click(); } });
    document.body.replaceChildren(
      el("a", { class: "skip", href: "#main", onclick: (event) => { event.preventDefault(); (id("name") || id("main")).focus(); } }, say("skip")),
      el("div", { class: "shell" },
        el("header", { class: "top" }, el("div", null, el("h1", null, say("title")), el("span", { class: "muted t" }, say("from", facts))),
          el("button", { type: "button", id: "language", lang: other, onclick: () => {
            state.language = other;
            try { localStorage.setItem("transvase-language", other); } catch { /* no storage for local pages */ }
            frame(); list();
            if (state.record) draw();
            id("language").focus();
          } }, say("other_language"))),
        el("nav", { class: "list", "aria-label": say("patients"), onkeydown: walk },
          el("div", { class: "find" }, el("label", { for: "search" }, say("search")), search, el("p", { id: "help", class: "unseen" }, say("search_help")),
            el("p", { class: "muted", role: "status" }, el("span", { id: "found" }), " ", el("span", { id: "progress" }))),
          el("div", { class: "scroll" }, el("ol", { id: "rows" }), el("button", { type: "button", id: "more", hidden: true, onclick: () => {
            const at = state.shown; state.shown += STEP; list();
            const next = id("rows").querySelectorAll("a")[at]; if (next) next.focus();
          } }))),
        el("main", { id: "main", tabindex: "-1" }, el("p", { id: "notice", role: "alert" }), el("div", { id: "record" }, el("p", { class: "muted" }, say("welcome"))))),
      el("dialog", { id: "choose", "aria-labelledby": "c-title" }));
  }
  addEventListener("hashchange", route);
  addEventListener("beforeprint", () => { for (const one of document.querySelectorAll("details")) one.open = true; });
  addEventListener("DOMContentLoaded", () => { frame(); load(); });
  return { labels: (found) => { state.labels = found; }, practice: (found) => { state.practice = found; }, index, patient };
})();
