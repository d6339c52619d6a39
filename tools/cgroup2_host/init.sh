#!/bin/busybox sh
# The first process of the machine that __main__.py starts. First in its initial file system, with
# busybox alone; then, with this machine's files as root, again for the tests.

if [ -z "$INSIDE" ]; then
    export PATH=/bin INSIDE=yes
    /bin/busybox mkdir -p /proc /dev /sys /files /written /next
    /bin/busybox --install -s /bin
    mount -t proc proc /proc
    mount -t devtmpfs dev /dev
    for module in virtio_pci 9pnet_virtio 9p overlay; do modprobe -q "$module"; done
    mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=524288,cache=loose files /files &&
        mount -t tmpfs -o mode=755,size=75% written /written &&
        mkdir /written/upper /written/work &&
        mount -t overlay -o lowerdir=/files,upperdir=/written/upper,workdir=/written/work root /next
    for name in proc sys dev run tmp; do mkdir -p "/next/$name"; done
    mount --move /proc /next/proc
    mount --move /dev /next/dev
    mount -t tmpfs -o mode=755 run /next/run
    mkdir -p /next/run/cgroup2-host
    cp /bin/busybox /init /next/run/cgroup2-host
    exec switch_root /next /run/cgroup2-host/busybox sh /run/cgroup2-host/init
fi

busybox() { /run/cgroup2-host/busybox "$@"; }

# A host as users have it: devices, modules on demand, a loopback.
prepare() {
    mount -t sysfs sys /sys
    mkdir -p /dev/pts /dev/shm
    mount -t devpts -o ptmxmode=666 devpts /dev/pts
    mount -t tmpfs -o mode=1777 shm /dev/shm
    ln -sf pts/ptmx /dev/ptmx
    ln -s /proc/self/fd /dev/fd
    mkdir -p "/lib/modules/$(uname -r)"
    [ "$MODULES" -ef "/lib/modules/$(uname -r)" ] || mount --bind "$MODULES" "/lib/modules/$(uname -r)"
    ln -s busybox /run/cgroup2-host/modprobe
    echo /run/cgroup2-host/modprobe >/proc/sys/kernel/modprobe
    busybox modprobe -q tun
    busybox ip link set lo up
    for setting in $SYSCTLS; do busybox sysctl -q -w "$setting"; done
}

# As systemd does it: delegation ends at namespaces, too; a session below what its user may divide.
cgroups() {
    mount -t cgroup2 -o nsdelegate,nosuid,nodev,noexec cgroup2 /sys/fs/cgroup
    cd /sys/fs/cgroup || return
    echo "+cpu +memory +pids" >cgroup.subtree_control
    mkdir -p user/session
    echo "+cpu +memory +pids" >user/cgroup.subtree_control
    [ -z "$DELEGATED" ] ||
        for folder in user user/session; do
            chown 65534:65534 $folder $folder/cgroup.procs $folder/cgroup.subtree_control \
                $folder/cgroup.threads
        done
    echo $$ >user/session/cgroup.procs
}

read -r line </proc/cmdline
for word in $line; do
    case $word in orders=*) . "${word#orders=}" ;; esac
done
prepare
cgroups
mkdir -p -m 1777 /run/tests
export TMPDIR=/run/tests LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
cd "$CHECKOUT" && tests
echo "cgroup2-host ended: $?"
busybox poweroff -f
