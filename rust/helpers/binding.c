// SPDX-License-Identifier: GPL-2.0

#include <linux/device.h>
#include <linux/mm.h>

/* What is told that a device is being unbound. */
struct nbh_binding {
	void (*end)(void *data);
	void *data;
};

static void nbh_binding_release(struct device *dev, void *res)
{
	struct nbh_binding *binding = res;

	binding->end(binding->data);
}

/* Has @end called with @data when @dev, which is bound, is unbound: after what is managed from
 * here on has ended.
 */
int nbh_binding_begin(struct device *dev, void (*end)(void *data), void *data)
{
	struct nbh_binding *binding;

	if (devres_find(dev, nbh_binding_release, NULL, NULL))
		return -EBUSY;
	binding = devres_alloc(nbh_binding_release, sizeof(*binding), GFP_KERNEL);
	if (!binding)
		return -ENOMEM;
	binding->end = end;
	binding->data = data;
	devres_add(dev, binding);
	return 0;
}

/* The data of @dev; NULL if there is none, or if what is managed is ending already. */
void *nbh_binding_data(struct device *dev)
{
	struct nbh_binding *binding = devres_find(dev, nbh_binding_release, NULL, NULL);

	return binding ? binding->data : NULL;
}

#if IS_ENABLED(CONFIG_KUNIT)
/* How many refer to the page at @address: none, if it is free. */
int nbh_kunit_page_count(const void *address)
{
	return page_count(is_vmalloc_addr(address) ? vmalloc_to_page(address) :
						     virt_to_page(address));
}
#endif
