# SPDX-License-Identifier: GPL-2.0
"""What a VF is worth: the same virtual machine with four kinds of network card.

`nics` are the cards, `workloads` what is done with each, `costs` what it costs the host,
`summary` the figures over all rounds, `plots` the pictures.
"""
