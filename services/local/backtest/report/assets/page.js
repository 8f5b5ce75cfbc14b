// Draws the charts from the data in the page, sorts the table, and shows the trade that is chosen.
"use strict";
(() => {
  const drawn = JSON.parse(document.getElementById("drawn").textContent);
  const byId = (id) => document.getElementById(id);
  const isTouched = matchMedia("(pointer: coarse)").matches;
  const india = {
    moduleType: "locale",
    name: "en-IN",
    dictionary: {},
    format: { grouping: [3, 2, 2, 2, 2, 2], currency: ["₹", ""], decimal: ".", thousands: "," },
  };
  Plotly.register(india);
  const settings = {
    locale: "en-IN",
    responsive: true,
    displaylogo: false,
    displayModeBar: isTouched || innerWidth < 600 ? false : "hover",
    modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d", "toImage"]],
  };

  // The data names colours of the page; they depend on its theme.
  const themed = (value) => {
    if (typeof value === "string" && value.startsWith("--")) {
      return getComputedStyle(document.documentElement).getPropertyValue(value).trim();
    }
    if (Array.isArray(value)) {
      return value.length && typeof value[0] === "number" ? value : value.map(themed);
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, themed(one)]));
    }
    return value;
  };

  const onAxes = (layout) => {
    const look = { gridcolor: "--edge", linecolor: "--edge", zerolinecolor: "--quiet", automargin: true };
    const axes = { xaxis: {}, yaxis: {}, ...layout };
    for (const [name, axis] of Object.entries(axes)) {
      if (/^[xy]axis\d*$/.test(name)) axes[name] = { ...look, ...axis };
    }
    return axes;
  };

  // Candles stand side by side, labelled by their times: a few of them, as many as there is room for.
  const ticks = (labels) => {
    const step = Math.ceil(labels.length / (innerWidth < 600 ? 3 : 8));
    const tickvals = labels.filter((_, index) => index % step === 0);
    return { tickvals, ticktext: tickvals.map((one) => one.replace(/ \d{4},/, "<br>")), tickangle: 0 };
  };

  const draw = (id, figure) => {
    if (figure.data[0].type === "candlestick") Object.assign(figure.layout.xaxis, ticks(figure.data[0].x));
    const layout = {
      margin: { l: 10, r: 10, t: 24, b: 10 },
      paper_bgcolor: "--ground",
      plot_bgcolor: "--ground",
      font: { color: "--ink", family: "system-ui, sans-serif", size: 12 },
      hoverlabel: { bgcolor: "--card", bordercolor: "--edge", font: { color: "--ink" }, align: "left" },
      hovermode: "x",
      dragmode: isTouched ? false : "zoom",
      separators: ".,",
      ...onAxes(figure.layout),
    };
    return Plotly.react(id, themed(figure.data), themed(layout), settings);
  };

  // One trade: candles on an axis without nights, so that they stand side by side.
  const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const label = (at) => {
    const time = new Date(at);
    const two = (number) => String(number).padStart(2, "0");
    const day = `${two(time.getUTCDate())} ${months[time.getUTCMonth()]} ${time.getUTCFullYear()}`;
    return `${day}, ${two(time.getUTCHours())}:${two(time.getUTCMinutes())}`;
  };

  const closeUp = (trade) => {
    const candles = drawn.candles[trade.instrument];
    const part = (name) => candles[name].slice(trade.first, trade.last + 1);
    const x = part("at").map(label);
    const entered = label(trade.entered);
    const exited = x.includes(label(trade.exited)) ? label(trade.exited) : x[x.length - 1];
    const level = (name, price, color) => ({
      type: "scatter", mode: "lines", name, x: [entered, exited], y: [price, price],
      line: { color, width: 2, dash: "dash" }, hovertemplate: "%{y:,.2f}<extra>%{fullData.name}</extra>",
    });
    const marker = (name, at, price, symbol, color, text) => ({
      type: "scatter", mode: "markers", name, x: [at], y: [price], hovertext: [text], hoverinfo: "text",
      marker: { symbol, size: 14, color, line: { color: "--ground", width: 1.5 } },
    });
    const isBuy = trade.action === "BUY";
    const colour = trade.gain ? "--gain" : "--loss";
    const look = (line, fillcolor) => ({ line: { color: line, width: 1 }, fillcolor });
    const data = [
      {
        type: "candlestick", name: "candles", x, showlegend: false,
        open: part("open"), high: part("high"), low: part("low"), close: part("close"),
        increasing: look("--quiet", "--ground"), decreasing: look("--quiet", "--quiet"),
      },
      ...(trade.stop === null ? [] : [level("stop", trade.stop, "--stop"), level("target", trade.target, "--aim")]),
      marker("entry", entered, trade.entry, isBuy ? "triangle-up" : "triangle-down", "--entry", trade.entry_text),
      ...(x.includes(label(trade.exited))
        ? [marker("exit", exited, trade.exit, trade.gain ? "circle" : "x", colour, trade.exit_text)]
        : []),
    ];
    const layout = {
      height: 400,
      hovermode: "closest",
      xaxis: { type: "category", rangeslider: { visible: false } },
      yaxis: { title: { text: "price, ₹" }, tickformat: ",.2~f" },
      legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    };
    return draw("closeup", { data, layout });
  };

  const rows = [...document.querySelectorAll("tr[data-trade]")];
  let shown = drawn.shown;
  const show = (index) => {
    shown = index;
    const trade = drawn.trades[index];
    closeUp(trade);
    byId("which").textContent = trade.said;
    rows.forEach((row) => row.classList.toggle("chosen", row.dataset.trade === String(index)));
  };
  const step = (by) => {
    for (let index = shown + by; index >= 0 && index < drawn.trades.length; index += by) {
      if (drawn.trades[index]) return show(index);
    }
  };
  const extreme = (sign) => {
    const net = (row) => sign * Number(row.cells[row.cells.length - 1].dataset.sort);
    show(Number(rows.reduce((best, row) => (net(row) > net(best) ? row : best)).dataset.trade));
  };

  const price = () => {
    if (!drawn.prices) return null;
    const select = byId("instrument");
    const key = select ? select.value : Object.keys(drawn.prices)[0];
    return draw("price", drawn.prices[key]);
  };
  const all = () => {
    Object.entries(drawn.charts).forEach(([id, figure]) => draw(id, figure));
    price();
    if (Number.isInteger(shown)) show(shown);
  };

  const value = (row, column) => {
    const { dataset, textContent } = row.cells[column];
    return dataset.sort === undefined ? textContent : Number(dataset.sort);
  };
  const sort = (head) => {
    const body = head.closest("table").tBodies[0];
    const sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    const order = (one, other) => {
      const [a, b] = [value(one, head.cellIndex), value(other, head.cellIndex)];
      return a < b ? -sign : a > b ? sign : 0;
    };
    [...head.parentNode.cells].forEach((cell) => cell.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    body.append(...[...body.rows].sort(order));
  };

  document.querySelectorAll(".sortable thead th").forEach((head) => head.addEventListener("click", () => sort(head)));
  rows.forEach((row) => {
    const choose = () => { show(Number(row.dataset.trade)); byId("one").scrollIntoView({ behavior: "smooth" }); };
    row.addEventListener("click", choose);
    row.addEventListener("keydown", (event) => { if (event.key === "Enter") choose(); });
  });
  const on = (id, event, act) => { const found = byId(id); if (found) found.addEventListener(event, act); };
  on("earlier", "click", () => step(-1));
  on("later", "click", () => step(1));
  on("worst", "click", () => extreme(-1));
  on("best", "click", () => extreme(1));
  on("instrument", "change", price);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  all();
})();
