/* The distribution board: reads Domoticz's own JSON API in the session of the user and draws each breaker.
   Text from devices enters the page as text nodes only, never as HTML. */
window.TuyaBoard = (function () {
  "use strict";

  var POLL_MS = 2000;          // devices that changed
  var FULL_POLL_MS = 30000;    // all devices: a red header alone does not change LastUpdate
  var CURVE_MS = 300000;       // Domoticz's short log has a value every 5 minutes
  var CURVE_POINTS_MS = 3600000;
  var ASKED_MS = 4000;         // how long a click waits for the breaker's own word
  var PLUGIN_AWAY_S = 30;
  var PYTHON_PLUGIN = 94;
  var VIEWER = 0;
  var ORDER_KEY = "tuya-board-order";
  var UNIT = { SWITCH: 1, KWH: 2, VOLT: 3, AMPERE: 4, ALERT: 10 };
  var VOLT_PHASES = [24, 25, 26], AMPERE_PHASES = [27, 28, 29], GANGS = [41, 42, 43, 44, 45, 46, 47, 48];
  var SVG = "http://www.w3.org/2000/svg";

  /* FNV-1a, 32 bits: names a breaker in the state file without telling its id */
  function shortHash(text) {
    var hash = 0x811c9dc5;
    for (var i = 0; i < text.length; i++) {
      hash ^= text.charCodeAt(i) & 0xff;
      hash = Math.imul(hash, 0x01000193) >>> 0;
    }
    return ("0000000" + hash.toString(16)).slice(-8);
  }

  function node(tag, className, text) {
    var made = document.createElement(tag);
    if (className) { made.className = className; }
    if (text !== undefined) { made.textContent = text; }
    return made;
  }

  function number(text) {
    var value = parseFloat(text);
    return isFinite(value) ? value : null;
  }

  function watts(value) {
    if (value === null) { return "–"; }
    return Math.abs(value) >= 9999.5 ? (value / 1000).toFixed(2) + " kW" : value.toFixed(Math.abs(value) < 100 ? 1 : 0) + " W";
  }

  function age(seconds) {
    seconds = Math.max(0, Math.round(seconds));
    if (seconds < 90) { return seconds + " s"; }
    if (seconds < 5400) { return Math.round(seconds / 60) + " min"; }
    if (seconds < 172800) { return Math.round(seconds / 3600) + " h"; }
    return Math.round(seconds / 86400) + " days";
  }

  function isDark(element) {
    for (var at = element; at; at = at.parentElement) {
      var colour = getComputedStyle(at).backgroundColor.match(/[\d.]+/g);
      if (colour && (colour.length < 4 || parseFloat(colour[3]) > 0.5)) {
        return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] < 128;
      }
    }
    return false;
  }

  function Board(root, options) {
    this.root = root;
    this.api = options.api;
    this.folder = options.folder;
    this.storage = options.storage || window.localStorage;
    this.units = {};       // idx -> the newest JSON of a device
    this.cards = {};       // breaker key -> its elements
    this.curves = {};      // idx of a kWh device -> {fetched, points: [[ms, W]]}
    this.states = {};      // file name -> what an instance of the plugin says of its breakers
    this.asked = {};       // idx -> {until, want}
    this.rights = VIEWER;
    this.lastFull = 0;
    this.actTime = 0;
    this.failures = 0;
  }

  Board.prototype.ask = function (parameters) {
    return fetch(this.api + "?" + new URLSearchParams(parameters), { cache: "no-store", credentials: "same-origin" })
      .then(function (answer) {
        if (!answer.ok) { throw new Error("HTTP " + answer.status); }
        return answer.json();
      });
  };

  Board.prototype.start = function () {
    var board = this;
    this.root.textContent = "";
    this.root.classList.toggle("tb-dark", isDark(this.root));
    this.note = node("p", "tb-note");
    this.note.setAttribute("role", "status");
    this.sum = node("div", "tb-sum");
    this.rail = node("ul", "tb-rail");
    this.root.append(this.note, this.sum, this.rail);
    this.ask({ type: "command", param: "getauth" })
      .then(function (answer) { board.rights = answer.rights === undefined ? VIEWER : answer.rights; })
      .catch(function () { board.rights = VIEWER; })
      .then(function () { board.tick(); });
  };

  /* Domoticz swaps views without reloading: a board that is no longer in the page stops by itself. */
  Board.prototype.tick = function () {
    var board = this;
    if (!document.contains(this.root)) { return; }
    if (document.hidden) { setTimeout(function () { board.tick(); }, POLL_MS); return; }
    this.poll().then(function () { board.failures = 0; }, function (error) { board.failures += 1; board.problem = error; })
      .then(function () {
        board.draw();
        setTimeout(function () { board.tick(); }, POLL_MS);
      });
  };

  Board.prototype.poll = function () {
    var board = this, now = Date.now();
    var full = now - this.lastFull >= FULL_POLL_MS;
    var parameters = { type: "command", param: "getdevices", filter: "all", used: "true", order: "Name" };
    if (!full) { parameters.lastupdate = this.actTime; }
    return this.ask(parameters).then(function (answer) {
      if (full) { board.units = {}; board.lastFull = now; }
      // one second back: a device that changes within the second of the answer is not missed
      board.actTime = answer.ActTime - 1;
      (answer.result || []).forEach(function (unit) {
        if (unit.HardwareTypeVal === PYTHON_PLUGIN) { board.units[unit.idx] = unit; }
      });
      return board.pollStates();
    });
  };

  /* Which state files there are is looked up with each full poll; what they say, each time. */
  Board.prototype.pollStates = function () {
    var board = this;
    function get(name) {
      return fetch(board.folder + name + "?t=" + Date.now(), { cache: "no-store" })
        .then(function (answer) { return answer.ok ? answer.json() : null; })
        .catch(function () { return null; });
    }
    var listed = this.lastFull === this.lastIndex ? Promise.resolve(null) : get("index.json");
    this.lastIndex = this.lastFull;
    return listed.then(function (index) {
      var names = Object.keys(board.states).concat(index ? index.states : []);
      return Promise.all(names.filter(function (name, at) { return names.indexOf(name) === at; }).map(function (name) {
        return get(encodeURIComponent(name)).then(function (state) {
          var before = board.states[name];
          if (!state) { return; }  // what was said last stays: it is away, or will be
          state.seen = before && before.time === state.time ? before.seen : Date.now();
          board.states[name] = state;
        });
      }));
    });
  };

  /* The newest state that speaks of a breaker. Another Domoticz with the same web folder may use the same numbers. */
  Board.prototype.stateOf = function (hardware, hash) {
    return Object.values(this.states)
      .filter(function (state) { return state.hardware === hardware && state.breakers[hash]; })
      .sort(function (a, b) { return b.time - a.time; })[0] || null;
  };

  /* Units of one breaker together, of this plugin's hardware only. */
  Board.prototype.breakers = function () {
    var board = this, found = {}, ours = {};
    Object.values(this.units).forEach(function (unit) {
      if (board.stateOf(unit.HardwareID, shortHash(unit.ID))) { ours[unit.HardwareID] = true; }
    });
    Object.values(this.units).forEach(function (unit) {
      if (!ours[unit.HardwareID]) { return; }
      var key = unit.HardwareID + ":" + unit.ID;
      var breaker = found[key] || (found[key] = { key: key, id: unit.ID, hardware: unit.HardwareID, units: {} });
      breaker.units[unit.Unit] = unit;
    });
    var order = this.order();
    return Object.values(found).sort(function (a, b) {
      var at = order.indexOf(a.key), bt = order.indexOf(b.key);
      if (at >= 0 && bt >= 0) { return at - bt; }
      if (at >= 0 || bt >= 0) { return at >= 0 ? -1 : 1; }
      return board.nameOf(a).localeCompare(board.nameOf(b), undefined, { numeric: true }); // 1, 2, 10
    });
  };

  Board.prototype.order = function () {
    try {
      var order = JSON.parse(this.storage.getItem(ORDER_KEY) || "[]");
      return Array.isArray(order) ? order : [];
    } catch (error) { return []; }
  };

  Board.prototype.saveOrder = function () {
    var keys = Array.from(this.rail.children).map(function (card) { return card.dataset.key; });
    try { this.storage.setItem(ORDER_KEY, JSON.stringify(keys)); } catch (error) { this.storageProblem = true; }
  };

  Board.prototype.nameOf = function (breaker) {
    var main = breaker.units[UNIT.SWITCH] || breaker.units[UNIT.KWH] || Object.values(breaker.units)[0];
    return main.Unit === UNIT.SWITCH ? main.Name : main.Name.replace(/ Energy$/, "");
  };

  Board.prototype.draw = function () {
    var board = this, breakers = this.breakers(), keys = {};
    this.root.classList.toggle("tb-dark", isDark(this.root.parentElement || document.body));
    breakers.forEach(function (breaker) { keys[breaker.key] = true; board.drawCard(breaker); });
    Object.keys(this.cards).forEach(function (key) {
      if (!keys[key]) { board.cards[key].card.remove(); delete board.cards[key]; }
    });
    if (!this.dragging) {
      breakers.forEach(function (breaker, index) {
        var card = board.cards[breaker.key].card;
        if (board.rail.children[index] !== card) { board.rail.insertBefore(card, board.rail.children[index] || null); }
      });
    }
    this.drawSum(breakers);
    this.drawNote(breakers);
  };

  Board.prototype.drawSum = function (breakers) {
    var power = null, today = null, away = 0;
    breakers.forEach(function (breaker) {
      var kwh = breaker.units[UNIT.KWH];
      if (!kwh) { return; }
      if (kwh.HaveTimeout) { away += 1; } else if (number(kwh.Usage) !== null) { power = (power || 0) + number(kwh.Usage); }
      if (number(kwh.CounterToday) !== null) { today = (today || 0) + number(kwh.CounterToday); }
    });
    this.sum.textContent = "";
    this.sum.append(node("b", "tb-total", watts(power)), node("span", "", "now"),
      node("b", "tb-today", today === null ? "–" : today.toFixed(3) + " kWh"), node("span", "", "today"),
      node("span", "", breakers.length + (breakers.length === 1 ? " breaker" : " breakers") + (away ? ", " + away + " away" : "")));
  };

  Board.prototype.drawNote = function (breakers) {
    var board = this, texts = [];
    if (this.failures) {
      texts.push("Domoticz does not answer (" + this.problem.message + "); the values below are the last known.");
    }
    var running = {};
    breakers.forEach(function (breaker) {
      var state = board.stateOf(breaker.hardware, shortHash(breaker.id));
      if (!state) { return; }
      var fresh = Date.now() - state.seen <= PLUGIN_AWAY_S * 1000 + state.interval_s * 1000;
      running[breaker.hardware] = running[breaker.hardware] || fresh;
    });
    Object.keys(running).forEach(function (id) {
      if (!running[id]) {
        texts.push("The plugin “" + board.hardwareName(id) + "” is not running; its values are the last known.");
      }
    });
    if (!breakers.length && !this.failures) { texts.push("No breakers yet. They appear here when the first one has answered."); }
    if (this.storageProblem) { texts.push("This browser does not keep the order of the breakers."); }
    if (this.message) { texts.push(this.message); }
    this.note.textContent = texts.join(" ");
  };

  Board.prototype.hardwareName = function (id) {
    var unit = Object.values(this.units).find(function (one) { return String(one.HardwareID) === String(id); });
    return unit ? unit.HardwareName : "hardware " + id;
  };

  Board.prototype.newCard = function (breaker) {
    var board = this, parts = { card: node("li", "tb-card"), switches: {} };
    parts.card.dataset.key = breaker.key;
    var head = node("div", "tb-head");
    parts.name = node("h3", "tb-name");
    parts.grip = node("button", "tb-grip", "⠿");
    parts.grip.type = "button";
    parts.grip.title = "Drag to its place on the rail, or use the arrow keys";
    parts.grip.addEventListener("pointerdown", function (event) { board.drag(event, parts.card); });
    parts.grip.addEventListener("keydown", function (event) { board.move(event, parts.card); });
    head.append(parts.name, parts.grip);
    parts.watt = node("div", "tb-watt");
    parts.electric = node("div", "tb-line");
    parts.today = node("div", "tb-line");
    parts.curve = document.createElementNS(SVG, "svg");
    parts.curve.setAttribute("class", "tb-curve");
    parts.curve.setAttribute("viewBox", "0 0 100 30");
    parts.curve.setAttribute("preserveAspectRatio", "none");
    parts.curve.setAttribute("aria-hidden", "true");
    parts.alarm = node("div", "tb-alarm");
    parts.age = node("div", "tb-age");
    parts.buttons = node("div", "tb-switches");
    parts.card.append(head, parts.watt, parts.electric, parts.today, parts.curve, parts.alarm, parts.age, parts.buttons);
    this.rail.append(parts.card);
    return (this.cards[breaker.key] = parts);
  };

  Board.prototype.drawCard = function (breaker) {
    var parts = this.cards[breaker.key] || this.newCard(breaker);
    var units = breaker.units, kwh = units[UNIT.KWH], alert = units[UNIT.ALERT];
    var away = Object.values(units).some(function (unit) { return unit.HaveTimeout; });
    var power = kwh ? number(kwh.Usage) : null;
    parts.name.textContent = parts.name.title = this.nameOf(breaker);
    parts.grip.setAttribute("aria-label", "Move " + this.nameOf(breaker));
    parts.watt.textContent = watts(power);
    parts.electric.textContent = [this.joined(units, UNIT.VOLT, VOLT_PHASES, "V", 1), this.joined(units, UNIT.AMPERE, AMPERE_PHASES, "A", 3)]
      .filter(Boolean).join(units[UNIT.VOLT] ? "  " : "\n");
    parts.today.textContent = kwh && number(kwh.CounterToday) !== null ? "today " + number(kwh.CounterToday).toFixed(3) + " kWh" : "";
    var level = alert ? Number(alert.Level) : 0;
    parts.alarm.textContent = level > 1 ? alert.Data : "";
    parts.alarm.classList.toggle("tb-soft", level === 2);
    this.drawSwitches(breaker, parts, away);
    var main = units[UNIT.SWITCH];
    parts.card.classList.toggle("tb-live", !away && (main ? main.Status === "On" : power !== null && power > 0));
    parts.card.classList.toggle("tb-fault", level > 2);
    parts.card.classList.toggle("tb-away", away);
    parts.age.textContent = this.ageText(breaker, away);
    if (kwh) { this.drawCurve(kwh, power, parts.curve, away); }
  };

  Board.prototype.joined = function (units, single, phases, unitName, digits) {
    var found = units[single] ? [units[single]] : phases.map(function (n) { return units[n]; }).filter(Boolean);
    var values = found.map(function (unit) { return number(unit.Data); }).filter(function (value) { return value !== null; });
    if (!values.length) { return ""; }
    return values.map(function (value) { return value.toFixed(values.length > 1 ? digits - 1 : digits); }).join(" / ") + " " + unitName;
  };

  /* Seconds since the breaker last answered: from the plugin's state file, which knows it to 2 seconds. */
  Board.prototype.ageText = function (breaker, away) {
    var hash = shortHash(breaker.id), state = this.stateOf(breaker.hardware, hash), entry = state && state.breakers[hash];
    if (!entry || entry.answered === null) { return away ? "away" : ""; }
    var seconds = state.time - entry.answered + (Date.now() - state.seen) / 1000;
    return away ? "away for " + age(seconds) : "answered " + age(seconds) + " ago";
  };

  Board.prototype.drawSwitches = function (breaker, parts, away) {
    var board = this, hash = shortHash(breaker.id), state = this.stateOf(breaker.hardware, hash);
    var allowed = this.rights !== VIEWER && !(state && state.breakers[hash].read_only);
    [UNIT.SWITCH].concat(GANGS).forEach(function (number_) {
      var unit = breaker.units[number_], made = parts.switches[number_];
      if (!unit || unit.SwitchType !== "On/Off") {
        if (made) { made.remove(); delete parts.switches[number_]; }
        return;
      }
      if (!made || (made.tagName === "BUTTON") !== allowed) {
        if (made) { made.remove(); }
        made = parts.switches[number_] = board.newSwitch(unit.idx, allowed);
        parts.buttons.append(made);
      }
      var on = unit.Status === "On", asked = board.asked[unit.idx];
      if (asked && (asked.until < Date.now() || asked.want === on)) { delete board.asked[unit.idx]; asked = null; }
      made.setAttribute("aria-checked", String(on));
      made.classList.toggle("tb-asked", Boolean(asked));
      made.lastChild.textContent = (number_ === UNIT.SWITCH ? "" : unit.Name + " ") + (asked ? "asked …" : unit.Status);
      made.setAttribute("aria-label", unit.Name);
      if (allowed) { made.disabled = away || Boolean(asked); }
    });
  };

  Board.prototype.newSwitch = function (idx, allowed) {
    var board = this, made = node(allowed ? "button" : "span", "tb-switch");
    made.setAttribute("role", "switch");
    if (allowed) {
      made.type = "button";
      made.addEventListener("click", function () { board.toggle(idx); });
    }
    made.append(node("i"), node("span"));
    return made;
  };

  /* The state shown changes when Domoticz, that is the breaker, says so; never by the click itself. */
  Board.prototype.toggle = function (idx) {
    var board = this, unit = this.units[idx], want = unit.Status !== "On";
    var parameters = { type: "command", param: "switchlight", idx: idx, switchcmd: want ? "On" : "Off" };
    if (unit.Protected) {
      var code = window.prompt("“" + unit.Name + "” is protected. Passcode:");
      if (code === null) { return; }
      parameters.passcode = code;
    }
    this.asked[idx] = { until: Date.now() + ASKED_MS, want: want };
    this.message = "";
    this.draw();
    this.ask(parameters).then(function (answer) {
      if (answer.status !== "OK") { throw new Error(answer.message || answer.status); }
    }).catch(function (error) {
      delete board.asked[idx];
      board.message = "“" + unit.Name + "” was not switched: " + error.message + ".";
      board.draw();
    });
  };

  Board.prototype.drawCurve = function (kwh, power, svg, away) {
    var board = this, now = Date.now();
    var curve = this.curves[kwh.idx] || (this.curves[kwh.idx] = { fetched: 0, points: [] });
    if (now - curve.fetched > CURVE_MS && !this.curveBusy) {
      curve.fetched = now;
      this.curveBusy = true;  // one at a time: 40 breakers must not knock at once
      this.ask({ type: "command", param: "graph", sensor: "counter", idx: kwh.idx, range: "day", method: "1" })
        .then(function (answer) {
          var old = (answer.result || []).map(function (row) { return [Date.parse(row.d.replace(" ", "T")), number(row.v)]; })
            .filter(function (point) { return isFinite(point[0]) && point[1] !== null; });
          var newest = old.length ? old[old.length - 1][0] : 0;
          curve.points = old.concat(curve.points.filter(function (point) { return point[0] > newest; }));
        })
        .catch(function () { curve.fetched = now - CURVE_MS + POLL_MS * 5; })
        .then(function () { board.curveBusy = false; });
    }
    if (power !== null && !away) { curve.points.push([now, power]); }
    curve.points = curve.points.filter(function (point) { return now - point[0] <= CURVE_POINTS_MS; });
    this.paint(svg, curve.points, now);
  };

  Board.prototype.paint = function (svg, points, now) {
    svg.textContent = "";
    if (points.length < 2) { return; }
    var values = points.map(function (point) { return point[1]; });
    var low = Math.min.apply(null, values.concat(0)), high = Math.max.apply(null, values.concat(1));
    var line = points.map(function (point) {
      var x = 100 - 100 * (now - point[0]) / CURVE_POINTS_MS, y = 29 - 28 * (point[1] - low) / (high - low);
      return x.toFixed(2) + " " + y.toFixed(2);
    });
    var zero = (29 - 28 * (0 - low) / (high - low)).toFixed(2);
    var first = line[0].split(" ")[0], last = line[line.length - 1].split(" ")[0];
    [["tb-area", "M" + first + " " + zero + "L" + line.join("L") + "L" + last + " " + zero + "Z"], ["", "M" + line.join("L")]]
      .forEach(function (shape) {
        var path = document.createElementNS(SVG, "path");
        path.setAttribute("class", shape[0]);
        path.setAttribute("d", shape[1]);
        svg.append(path);
      });
  };

  /* Listens on the document: moving the card in the page ends any pointer capture of the grip inside it. */
  Board.prototype.drag = function (event, card) {
    var board = this, pointer = event.pointerId;
    event.preventDefault();
    this.dragging = true;
    card.classList.add("tb-drag");
    function over(moved) {
      if (moved.pointerId !== pointer) { return; }
      var under = document.elementFromPoint(moved.clientX, moved.clientY);
      var other = under && under.closest(".tb-card");
      if (!other || other === card || !board.rail.contains(other)) { return; }
      var after = card.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING;
      board.rail.insertBefore(card, after ? other.nextSibling : other);
    }
    function end(ended) {
      if (ended.pointerId !== pointer) { return; }
      document.removeEventListener("pointermove", over);
      ["pointerup", "pointercancel"].forEach(function (name) { document.removeEventListener(name, end); });
      card.classList.remove("tb-drag");
      board.dragging = false;
      board.saveOrder();
    }
    document.addEventListener("pointermove", over);
    ["pointerup", "pointercancel"].forEach(function (name) { document.addEventListener(name, end); });
  };

  Board.prototype.move = function (event, card) {
    var back = event.key === "ArrowLeft" || event.key === "ArrowUp", on = event.key === "ArrowRight" || event.key === "ArrowDown";
    if (!back && !on) { return; }
    event.preventDefault();
    var other = back ? card.previousElementSibling : card.nextElementSibling;
    if (!other) { return; }
    this.rail.insertBefore(card, back ? other : other.nextSibling);
    this.saveOrder();
    event.currentTarget.focus();
  };

  return {
    start: function (root, options) { new Board(root, options).start(); },
    shortHash: shortHash
  };
})();
