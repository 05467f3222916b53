"""Which files of tests take long: they come first, so that no worker is left alone with one of them at the end.

`bash install.sh test` gives whole files to its workers. What takes long is mostly waiting, for devices in real time
and for processes; `--durations=0` tells where a new one belongs.
"""

from __future__ import annotations

from typing import Dict

# in this order: what waits for a minute and more on an idle machine of two processors, and what keeps one of them busy
LONGEST = (
    "tests/test_plugin_on_host.py",
    "tests/lan/test_hostile_peers.py",
    "tests/mqtt/test_broker.py",
    "tests/setup/test_documented_commands.py",
    "tests/lan/test_field_connections.py",
    "tests/e2e/test_scenarios.py",
    "tests/setup/test_install_sh.py",
    "tests/mqtt/test_two_services.py",
    "tests/e2e/test_sharing.py",
    "tests/setup/test_isolated.py",
)
# then these in any order: a quarter of a minute and more
LONG = frozenset(
    (
        "tests/cli/test_lan_commands.py",
        "tests/cli/test_simulate.py",
        "tests/domoticz/board/test_board_page.py",
        "tests/domoticz/test_publishing_hour.py",
        "tests/e2e/test_endurance.py",
        "tests/e2e/test_moves.py",
        "tests/e2e/test_mqtt.py",
        "tests/lan/connection/test_field_ways.py",
        "tests/lan/network/test_scarcity.py",
        "tests/lan/network/test_stalled_writes.py",
        "tests/lan/test_field_answers.py",
        "tests/lan/test_field_unasked.py",
        "tests/lan/test_lan_client.py",
        "tests/lan/test_lan_faults.py",
        "tests/lan/test_lan_fuzz.py",
        "tests/lan/test_lan_second_opinions.py",
        "tests/metering/test_energy_accuracy.py",
        "tests/mqtt/test_broker_tls.py",
        "tests/mqtt/test_claim.py",
        "tests/setup/test_checks.py",
        "tests/setup/test_demo.py",
        "tests/setup/test_packages.py",
        "tests/setup/test_probe.py",
        "tests/sharing/test_beside_the_plugin.py",
        "tests/sharing/test_owner_and_listeners.py",
        "tests/simulator/test_field_connections.py",
        "tests/simulator/test_fleet.py",
        "tests/simulator/test_foreign_clients.py",
        "tests/simulator/test_foreign_clients_field.py",
        "tests/simulator/test_incidents.py",
    )
)
PLACES: Dict[str, int] = {
    **{name: number for number, name in enumerate(LONGEST)},
    **{name: len(LONGEST) for name in LONG},
}


def place(node_id: str) -> int:
    """The place of a test's file in the order of a run; files of the same place are not put in order."""
    return PLACES.get(node_id.partition("::")[0], len(LONGEST) + 1)
