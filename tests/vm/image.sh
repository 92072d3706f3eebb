# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What a virtual machine of the tests boots from: kernel, initramfs, disk. Sourced by vm.sh.
#
# The kernel is Debian's, unpacked and never installed. The disk is made of this machine's own packages, as the
# nodes of tests/cluster are: the files of those that the guest needs are copied, which takes seconds and no
# network, where a debootstrap would take a minute and a mirror. Nothing of this machine's configuration comes
# along but its users' names and what packages keep in /etc.

VM_KERNEL_PACKAGE=linux-image-cloud-amd64
# What runs in the guest, with all that it depends on; libraries of muster's programs are found by ldd.
VM_GUEST_PACKAGES='systemd systemd-sysv dbus bash coreutils grep sed util-linux mount kmod busybox-static
    crun golang-github-containers-common'
# In the initramfs in this order, dependencies first: what the root disk and the cable to etcd take. In the guest:
# what is loaded later.
VM_BOOT_MODULES='virtio_pci virtio_blk virtio_net'
VM_GUEST_MODULES='overlay bfq autofs4'
# Where qemu shows the loopback of the namespace that it is in, and an address beside it.
VM_STORE=10.0.2.2
VM_ADDRESS=10.0.2.15
VM_DISK_FREE_MB=256

# --- kernel ---

vm_kernel_name() {
    apt-cache depends "$VM_KERNEL_PACKAGE" 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }'
}

vm_kernel_download() {
    local name
    name=$(vm_kernel_name)
    [ -n "$name" ] && (cd "$1" && apt-get -q download "$name")
}

# Package lists may be missing, or older than the mirror.
vm_kernel_fetch() {
    vm_kernel_download "$1" || { apt-get -q update && vm_kernel_download "$1"; } || return
    dpkg-deb --extract "$1"/linux-image-*.deb "$1/root" || return
    rm -f "$1"/linux-image-*.deb
    mv "$1"/root/boot/vmlinuz-* "$1/vmlinuz" && mv "$1/root/lib" "$1/lib" && rm -rf "$1/root" || return
    depmod -b "$1" "$(vm_kernel_release "$1")"
}

vm_kernel_release() {
    ls "$1/lib/modules"
}

# vm_kernel CACHE: CACHE/kernel, fetched once and kept.
vm_kernel() {
    local new
    [ ! -d "$1/kernel" ] || return 0
    new=$(mktemp -d "$1/new.XXXXXX") || return
    if vm_kernel_fetch "$new" && mv -T "$new" "$1/kernel"; then return 0; fi
    rm -rf "$new"
    return 1
}

# vm_modules KERNEL MODULE…: the files of these modules and of those that they need, in the order to insert them.
vm_modules() {
    local kernel=$1
    shift
    modprobe --show-depends --all --dirname "$kernel" --set-version "$(vm_kernel_release "$kernel")" "$@" |
        awk '$1 == "insmod" && !seen[$2]++ { print $2 }'
}

# --- initramfs: drivers, the cable, then the disk ---

vm_initramfs_root() {
    local kernel=$1 root=$2 file
    mkdir -p "$root"/{bin,dev,proc,sys,root,modules} || return
    cp /bin/busybox "$root/bin/busybox" || return
    {
        echo '#!/bin/busybox sh'
        echo '/bin/busybox mount -t devtmpfs dev /dev'
        # shellcheck disable=SC2086  # a list
        for file in $(vm_modules "$kernel" $VM_BOOT_MODULES); do
            cp "$file" "$root/modules/" || return
            echo "/bin/busybox insmod /modules/$(basename "$file")"
        done
        echo '/bin/busybox ip link set lo up'
        echo "/bin/busybox ip addr add $VM_ADDRESS/24 dev eth0"
        echo '/bin/busybox ip link set eth0 up'
        echo '/bin/busybox mount -t ext4 /dev/vda /root'
        echo '/bin/busybox mount --move /dev /root/dev'
        echo 'exec /bin/busybox switch_root /root /sbin/init'
    } >"$root/init"
    chmod 0755 "$root/init"
}

vm_initramfs() {
    local kernel=$1 image=$2 root=$3
    vm_initramfs_root "$kernel" "$root" || return
    (cd "$root" && find . | busybox cpio -o -H newc) >"$image" && rm -rf "$root"
}

# --- the guest's root ---

# Installed packages; those of which FIELD is VALUE, if that is said.
vm_installed() {
    dpkg-query --show --showformat="\${db:Status-Status} ${1:+\${$1\}} \${Package}\n" |
        sed -n "s/^installed ${2:-} //p" | sort -u
}

# What the guest needs, what that depends on, and what every Debian has. Names that apt-cache has for packages that
# are not installed, or none, fall out.
vm_packages() {
    local essential
    essential=$(vm_installed Essential yes) || return
    # shellcheck disable=SC2086  # lists
    apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts --no-breaks \
        --no-replaces --no-enhances $VM_GUEST_PACKAGES $essential | grep '^[a-z0-9]' | sort -u |
        comm -12 - <(vm_installed)
}

vm_package_files() {
    # shellcheck disable=SC2046  # one word per package
    dpkg-query --listfiles $(vm_packages) | grep '^/' |
        grep -vE '^/usr/share/(doc|man|info|locale|bash-completion|lintian|i18n|perl5)/|^/etc/(init|rc.|cron|apt)|^/\.$' | sort -u
}

# vm_libraries TREE: what the programs in there are linked with, outside of the packages above.
vm_libraries() {
    find "$1" -type f -perm /0111 -exec ldd {} + 2>/dev/null | awk '$2 == "=>" && $3 ~ /^\// { print $3 }' | sort -u
}

# Names through /bin and /lib land in /usr, where their links point.
vm_copy() {
    sed 's|^/||' |
        tar --create --directory=/ --no-recursion --ignore-failed-read --files-from=- "${@:2}" 2>/dev/null |
        tar --extract --directory="$1" --skip-old-files --keep-directory-symlink
}

vm_guest_packages() {
    local root=$1 directory
    for directory in bin sbin lib lib64; do
        mkdir -p "$root/usr/$directory" && ln -s "usr/$directory" "$root/$directory" || return
    done
    vm_package_files | vm_copy "$root"
    mkdir -p "$root"/{dev,proc,sys,run,tmp,root,var/tmp,var/lib/muster} || return
    cp /etc/passwd /etc/group /etc/nsswitch.conf "$root/etc/"
}

vm_guest_muster() {
    local root=$1 build=$2
    cp -a "$build/install/." "$root/" || return
    vm_libraries "$build/install" | vm_copy "$root" --dereference
    mkdir -p "$root/var/lib/muster/images" && cp -a "$build/images/." "$root/var/lib/muster/images/" || return
    ldconfig -r "$root"
}

vm_guest_modules() {
    local root=$1 kernel=$2 release file
    release=$(vm_kernel_release "$kernel")
    # shellcheck disable=SC2086  # a list
    for file in $(vm_modules "$kernel" $VM_GUEST_MODULES); do
        install -D -m 0644 "$file" "$root/usr/lib/modules/$release/${file##*/"$release"/}" || return
    done
    cp "$kernel/lib/modules/$release"/modules.{order,builtin,builtin.modinfo} "$root/usr/lib/modules/$release/" || return
    depmod -b "$root" "$release"
}

vm_guest_enable() {
    mkdir -p "$1/etc/systemd/system/multi-user.target.wants" &&
        ln -s "$2" "$1/etc/systemd/system/multi-user.target.wants/$(basename "$2")"
}

vm_guest_mask() {
    local unit
    mkdir -p "$1/etc/systemd/system" || return
    for unit in $NODE_MASKS $VM_MASKS; do
        ln -sfn /dev/null "$1/etc/systemd/system/$unit" || return
    done
}
# Beside what nodes do without: no terminal but the serial line, nothing to fetch, nothing to keep.
VM_MASKS='systemd-remount-fs.service systemd-random-seed.service systemd-rfkill.socket
    e2scrub_reap.service fstrim.timer e2scrub_all.timer systemd-tmpfiles-clean.timer
    systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-initctl.socket
    systemd-journald-audit.socket dev-mqueue.mount dev-hugepages.mount sys-kernel-debug.mount sys-kernel-tracing.mount sys-fs-fuse-connections.mount
    sys-kernel-config.mount systemd-sysctl.service systemd-modules-load.service systemd-user-sessions.service'

vm_guest_configure() {
    local root=$1
    echo vm >"$root/etc/hostname"
    echo '127.0.0.1 localhost vm' >"$root/etc/hosts"
    echo 5eed5eed5eed5eed5eed5eed5eed5eed >"$root/etc/machine-id"
    : >"$root/etc/fstab"
    mkdir -p "$root/etc/muster" "$root/etc/systemd/journald.conf.d" || return
    # The tests together ask for more processors than there are.
    printf '%s\n' "public_ip = $VM_ADDRESS" "etcd_servers = http://$VM_STORE:2379" 'agent_ttl = 60s' \
        'etcd_request_timeout = 10' 'overcommit_cpu = 400' >"$root/etc/muster/musterd.conf"
    printf '[Journal]\nStorage=volatile\nRateLimitIntervalSec=0\n' >"$root/etc/systemd/journald.conf.d/vm.conf"
    ln -s /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
    # They look for disks, terminals and scripts that are not there, and take seconds of an emulated boot.
    rm -f "$root"/usr/lib/systemd/system-generators/*
}

vm_guest_services() {
    local root=$1 here=$2
    install -D -m 0755 "$here/control.sh" "$root/usr/lib/vm/control" || return
    install -m 0644 "$here"/vm-*.service "$root/usr/lib/systemd/system/" || return
    vm_guest_enable "$root" /usr/lib/systemd/system/musterd.service &&
        vm_guest_enable "$root" /usr/lib/systemd/system/vm-control.service &&
        vm_guest_enable "$root" /usr/lib/systemd/system/vm-shell.service
}

vm_guest_root() {
    local root=$1 kernel=$2 build=$3
    mkdir "$root" && vm_guest_packages "$root" && vm_guest_muster "$root" "$build" &&
        vm_guest_modules "$root" "$kernel" && vm_guest_mask "$root" && vm_guest_configure "$root" &&
        vm_guest_services "$root" "$VM_LIB"
}

vm_disk() {
    local root=$1 image=$2 used_mb
    used_mb=$(du --summarize --block-size=1M "$root" | cut -f1) || return
    mke2fs -q -t ext4 -O ^has_journal -d "$root" "$image" $((used_mb * 5 / 4 + VM_DISK_FREE_MB))M && rm -rf "$root"
}

# --- all of it, once ---

# What the image is made of: another digest is another image.
vm_image_digest() {
    local kernel=$1 build=$2
    {
        # shellcheck disable=SC2046  # one word per package
        dpkg-query --show $(vm_packages)
        cat "$kernel/lib/modules/"*/modules.dep "$VM_LIB"/image.sh "$VM_LIB"/control.sh "$VM_LIB"/vm-*.service
        (cd "$build" && find install images -type f -exec sha256sum {} + | sort)
    } | sha256sum | cut -c 1-16
}

vm_image_make() {
    local kernel=$1 build=$2 directory=$3
    ln "$kernel/vmlinuz" "$directory/vmlinuz" &&
        vm_initramfs "$kernel" "$directory/initramfs" "$directory/root" &&
        vm_guest_root "$directory/root" "$kernel" "$build" &&
        vm_disk "$directory/root" "$directory/disk"
}

# vm_image BUILD CACHE: prints the directory that holds vmlinuz, initramfs and disk. One image is kept: a machine
# that runs from an older one has it open. One is made at a time: who wants the same one waits for it.
vm_image() {
    mkdir -p "$2" || return
    (
        flock 9 && vm_image_locked "$1" "$2"
    ) 9>"$2/lock"
}

vm_image_locked() {
    local build=$1 cache=$2 digest new
    rm -rf "$cache"/new.* # of somebody who was killed: there is nobody else
    vm_kernel "$cache" >&2 || return
    digest=$(vm_image_digest "$cache/kernel" "$build") || return
    if [ ! -d "$cache/image-$digest" ]; then
        new=$(mktemp -d "$cache/new.XXXXXX") || return
        vm_image_make "$cache/kernel" "$build" "$new" >&2 || { rm -rf "$new"; return 1; }
        rm -rf "$cache"/image-*
        mv -T "$new" "$cache/image-$digest" || return
    fi
    echo "$cache/image-$digest"
}
