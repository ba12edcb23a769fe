# SPDX-License-Identifier: GPL-2.0
"""Holds a PCI function open through vfio-pci, as a hypervisor does, until it is killed.

vfio.py BDF FILE    creates the file when it is open
"""

import fcntl
import os
import signal
import sys

# linux/vfio.h: _IO(';', 100 + n)
VFIO_SET_IOMMU = 0x3B66
VFIO_GROUP_SET_CONTAINER = 0x3B68
VFIO_GROUP_GET_DEVICE_FD = 0x3B6A
VFIO_TYPE1V2_IOMMU = 3


def main():
    bdf = sys.argv[1]
    group_number = os.path.basename(os.readlink(f"/sys/bus/pci/devices/{bdf}/iommu_group"))
    container = os.open("/dev/vfio/vfio", os.O_RDWR)
    group = os.open(f"/dev/vfio/{group_number}", os.O_RDWR)
    fcntl.ioctl(group, VFIO_GROUP_SET_CONTAINER, container.to_bytes(4, "little"))
    fcntl.ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1V2_IOMMU)
    fcntl.ioctl(group, VFIO_GROUP_GET_DEVICE_FD, bdf.encode() + b"\0")
    with open(sys.argv[2], "w", encoding="ascii"):
        pass
    signal.pause()


if __name__ == "__main__":
    main()
