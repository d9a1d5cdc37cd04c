"use strict";
// Draws the charts with the page's own colours, and again when the reader's colour scheme changes.
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const touch = matchMedia("(pointer: coarse)").matches;
const charts = [...document.querySelectorAll(".chart")].map((place) => ({
  place,
  figure: JSON.parse(document.getElementById(place.id + "-data").textContent),
}));

function themed(layout) {
  const ink = colour("--ink"), soft = colour("--soft"), line = colour("--line"), paper = colour("--paper");
  const axis = { gridcolor: line, linecolor: soft, tickcolor: soft, zeroline: false, tickfont: { color: soft } };
  const title = (own) => (own.title ? { title: { ...own.title, standoff: 10, font: { size: 13 } } } : {});
  const titled = (own) => ({ ...axis, ...own, ...title(own) });
  return {
    ...layout,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink },
    hoverlabel: { bgcolor: paper, bordercolor: soft, align: "left", font: { color: ink, size: 12.5 } },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: line, activecolor: soft },
    dragmode: touch ? false : "zoom",
    xaxis: titled(layout.xaxis || {}),
    yaxis: titled(layout.yaxis || {}),
    shapes: (layout.shapes || []).map((shape) => ({ ...shape, line: { ...shape.line, color: soft } })),
    annotations: (layout.annotations || []).map((note) => ({
      ...note,
      font: { ...note.font, color: soft },
      ...(note.name === "tick" ? { bgcolor: paper, opacity: 0.85, borderpad: 1 } : {}),
    })),
  };
}

function draw({ place, figure }) {
  const settings = {
    displaylogo: false,
    modeBarButtons: [["toImage", "zoom2d", "resetScale2d"]],
    toImageButtonOptions: { filename: place.id, scale: 2 },
  };
  return Plotly.react(place, figure.data, themed(figure.layout), settings);
}

// A pointer over one line dims the others: with sixty trials that is the only way to follow one.
function followOne({ place, figure }) {
  if (!place.dataset.follow) return;
  const usual = figure.data.map((trace) => trace.opacity ?? 1);
  place.on("plotly_hover", ({ points }) => {
    const one = points[0].curveNumber;
    Plotly.restyle(place, { opacity: usual.map((_, number) => (number === one ? 1 : 0.12)) });
  });
  place.on("plotly_unhover", () => Plotly.restyle(place, { opacity: usual }));
}

// The place, not the window, is watched: it also changes when a scroll bar comes or a page is printed.
const fitted = new ResizeObserver((changes) => changes.forEach(({ target }) => Plotly.Plots.resize(target)));

charts.forEach((chart) => draw(chart).then(() => {
  followOne(chart);
  fitted.observe(chart.place);
}));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => charts.forEach(draw));
