// SPDX-License-Identifier: GPL-2.0

#include <linux/debugfs.h>
#include <linux/seq_file.h>

typedef int (*nbh_seq_show)(struct seq_file *seq, void *v);

/* What the inode knows is the function to call, at the start of what it is to show. */
static int nbh_debugfs_open(struct inode *inode, struct file *file)
{
	nbh_seq_show *show = inode->i_private;

	return single_open(file, *show, show);
}

/* The owner: while a file is open the module cannot go, and take these with it. */
static const struct file_operations nbh_debugfs_operations = {
	.owner = THIS_MODULE,
	.open = nbh_debugfs_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = single_release,
};

struct dentry *nbh_debugfs_create_text(const char *name, struct dentry *dir, void *show)
{
	return debugfs_create_file(name, 0400, dir, show, &nbh_debugfs_operations);
}

#ifndef CONFIG_DEBUG_FS
struct dentry *nbh_debugfs_create_dir(const char *name, struct dentry *dir)
{
	return debugfs_create_dir(name, dir);
}

void nbh_debugfs_remove(struct dentry *dentry)
{
	debugfs_remove(dentry);
}
#endif
