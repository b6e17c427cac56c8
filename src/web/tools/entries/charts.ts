// Charts, loaded when a view draws the first one: vendor/charts.js. Its style is vendor/charts.css.
import uPlot from "uplot";
export { uPlot };
