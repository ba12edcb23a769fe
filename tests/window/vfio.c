// SPDX-License-Identifier: GPL-2.0
/* A VF through VFIO, as a hypervisor has it: its registers, and memory that its DMA reaches. */
#include <err.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "window.h"

#define PCI_COMMAND 4
#define PCI_COMMAND_MEMORY_AND_MASTER 6

uint64_t now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000ull + time.tv_nsec / 1000;
}

void pause_us(uint64_t us)
{
	struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

static int group_of(const char *pci)
{
	char link[64], path[64], target[256] = "";

	snprintf(link, sizeof(link), "/sys/bus/pci/devices/%s/iommu_group", pci);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		err(1, "%s", link);
	snprintf(path, sizeof(path), "/dev/vfio/%s", basename(target));
	return open(path, O_RDWR);
}

static void enable(struct vf *vf)
{
	uint16_t command = PCI_COMMAND_MEMORY_AND_MASTER;

	if (pwrite(vf->device, &command, sizeof(command), vf->config + PCI_COMMAND) !=
	    sizeof(command))
		err(1, "VF %d: PCI command", vf->index);
}

void vf_open(struct vf *vf, int index, const char *pci, size_t bytes)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = VFIO_PCI_BAR0_REGION_INDEX };
	struct vfio_region_info config = { .argsz = sizeof(config),
					   .index = VFIO_PCI_CONFIG_REGION_INDEX };
	struct vfio_iommu_type1_dma_map map = { .argsz = sizeof(map) };
	int container = open("/dev/vfio/vfio", O_RDWR), group = group_of(pci);

	vf->index = index;
	vf->size = bytes;
	vf->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	map.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE;
	map.vaddr = (uintptr_t)vf->memory;
	map.iova = DMA_BASE;
	map.size = bytes;
	if (container < 0 || group < 0 || vf->memory == MAP_FAILED ||
	    ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) ||
	    ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		err(1, "VFIO of %s", pci);
	vf->device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, pci);
	if (vf->device < 0 || ioctl(vf->device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(vf->device, VFIO_DEVICE_GET_REGION_INFO, &config))
		err(1, "VFIO of %s", pci);
	vf->reg = mmap(NULL, VF_BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, vf->device,
		       bar.offset);
	if (vf->reg == MAP_FAILED)
		err(1, "registers of %s", pci);
	vf->config = config.offset;
	enable(vf);
}

void vf_reset(struct vf *vf)
{
	if (ioctl(vf->device, VFIO_DEVICE_RESET))
		err(1, "reset of VF %d", vf->index);
	enable(vf);
}
