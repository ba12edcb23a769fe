# SPDX-License-Identifier: GPL-2.0
"""Documentation/parity.rst: its tests are there, and its rows are whole."""

import ast
import re
from pathlib import Path

from harness.parity import PAGE, named

TESTS = Path(__file__).parents[1] / "qemu"
# The tables of operations of C igb in Linux 7.3, without the prefixes.
NET_DEVICE = """open stop start_xmit get_stats64 set_rx_mode set_mac_address change_mtu eth_ioctl tx_timeout
    validate_addr vlan_rx_add_vid vlan_rx_kill_vid set_vf_mac set_vf_vlan set_vf_rate set_vf_spoofchk
    set_vf_trust get_vf_config fix_features set_features fdb_add features_check setup_tc bpf xdp_xmit
    xsk_wakeup hwtstamp_get"""
ETHTOOL = """get_drvinfo get_regs get_wol set_wol get_msglevel set_msglevel nway_reset get_link get_eeprom
    set_eeprom get_ringparam set_ringparam get_pauseparam self_test get_strings set_phys_id
    get_ethtool_stats get_coalesce set_coalesce get_ts_info get_rxnfc set_rxnfc get_eee set_eee
    get_module_info get_rxfh set_rxfh get_rxfh_fields get_channels set_channels get_priv_flags
    get_link_ksettings"""


def test_tests_exist():
    names = named()
    assert len(names) > 40
    missing = []
    for name in sorted(names):
        file, test = name.split("::")
        path = TESTS / file
        if not path.exists() or not re.search(rf"^def {test}\(", path.read_text("utf-8"), re.M):
            missing.append(name)
    assert not missing


def test_every_operation_has_a_row():
    page = PAGE.read_text(encoding="utf-8")
    wanted = [f"ndo_{name}" for name in NET_DEVICE.split()] + ETHTOOL.split()
    assert not [name for name in wanted if f"``{name}``" not in page]


def test_a_row_names_a_test_or_says_that_there_is_none():
    """In each table with three columns."""
    rows = []
    columns = 0
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"=+( +=+)+", line):
            starts = [match.start() for match in re.finditer("=+", line)]
            columns = len(starts)
        elif not line.strip():
            columns = 0
        elif columns == 3 and line[: starts[1]].strip() and line[starts[1] :].strip():
            rows.append(line[starts[2] :].strip())
    proofs = [row for row in rows if row != "test"]
    assert len(proofs) > 80
    assert not [row for row in proofs if not re.match(r"``test_\w+\.py::|host$|none$", row)]


def _is_about_one_driver(name: str) -> bool:
    """By the marks of the test, or of its file."""
    file, test = name.split("::")
    tree = ast.parse((TESTS / file).read_text("utf-8"))
    marks = [
        statement.value
        for statement in tree.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "pytestmark"
    ]
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == test:
            marks += statement.decorator_list
    return any("pytest.mark.driver('igb_rs')" in ast.unparse(mark) for mark in marks)


def test_a_row_says_for_whom_its_test_holds():
    """The footnote stands where the test is about igb_rs alone, and nowhere else."""
    # In the rows of tables, and in no other line, something is far to the right.
    proof = r"``(test_\w+\.py::test_\w+)``( \[1\]_)?"
    rows = re.findall(rf"^(?:.{{28,}} {{2,}}| {{28,}}and ){proof}", PAGE.read_text("utf-8"), re.M)
    found = {name: bool(mark) for name, mark in rows}
    assert len(found) > 60
    assert {name: _is_about_one_driver(name) for name in found} == found
