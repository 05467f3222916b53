"""The picture of the README's section on accuracy: error over the day, one line per method, a panel per load."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt

from tests.bench import energy

PANELS = (
    ("refrigerator", "used", "SY1"),
    ("kettle", "used", "SY1"),
    ("washing machine", "used", "SY1"),
    ("heat pump", "used", "SY1"),
    ("photovoltaic", "returned", "SY1"),
    ("three phases", "used", "phase_a outages"),
)
TITLES = {"phase_a outages": "with a counter, away 10 and 60 min"}
STYLES = {
    energy.OURS: ("#0b6e4f", 2.2, "this plugin"),
    "Domoticz computed": ("#2f6fb3", 1.1, "Domoticz, computed from power"),
    "HA trapezoidal": ("#8e5bb5", 1.1, "Home Assistant, trapezoidal"),
    "poll 10 s": ("#e0a030", 1.0, "polling every 10 s"),
    "poll 60 s": ("#c8553d", 1.0, "polling every 60 s"),
}
LIMIT_PERCENT = 3.0


def draw(path: str) -> None:
    """Draw the panels into a PNG file at `path`."""
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure, axes = plt.subplots(2, 3, figsize=(10, 5.2), sharex=True, sharey=True, layout="constrained")
    for axis, (profile, way, scenario) in zip(axes.flat, PANELS):
        device, line = energy.SCENARIOS[scenario]
        outcomes = energy.run(energy.truth_of(profile, 3), way, device, line, 3, list(STYLES))
        axis.axhspan(-0.3, 0.3, color="#0b6e4f", alpha=0.12, linewidth=0)
        for name, (colour, width, label) in reversed(STYLES.items()):
            outcome = outcomes[name]
            hours = [hour for hour, _ in outcome.course]
            percent = [100 * wh / outcome.day_wh for _, wh in outcome.course]
            axis.plot(hours, percent, color=colour, linewidth=width, label=label)
            if abs(percent[-1]) > LIMIT_PERCENT:
                edge = LIMIT_PERCENT if percent[-1] > 0 else -LIMIT_PERCENT
                axis.annotate(
                    f"{outcome.error_percent:+.1f} %",
                    (24, edge),
                    color=colour,
                    ha="right",
                    va="top" if edge > 0 else "bottom",
                )
        axis.set_title(TITLES.get(scenario, f"{profile}, {way} {outcomes[energy.OURS].day_wh / 1000:.2f} kWh"))
        axis.set_xlim(0, 24)
        axis.set_xticks(range(0, 25, 6))
        axis.set_ylim(-LIMIT_PERCENT, LIMIT_PERCENT)
        axis.grid(alpha=0.25)
    for axis in axes[:, 0]:
        axis.set_ylabel("error, % of the day")
    for axis in axes[1]:
        axis.set_xlabel("hour")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside lower center", ncols=5, frameon=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
