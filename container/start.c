/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"
#include "container/devices.h"
#include "container/images.h"
#include "container/network.h"
#include "container/place.h"
#include "container/pod.h"
#include "container/rootfs.h"
#include "container/runtime.h"
#include "container/scope.h"
#include "container/seccomp.h"
#include "container/secrets.h"
#include "container/settings.h"
#include "container/system_calls.h"
#include "container/user.h"
#include "container/userns.h"
#include "container/variables.h"
#include "container/verbs.h"
#include "container/volumes.h"
#include "units/container.h"
#include "units/health_check.h"
#include "units/oci.h"

/* Of retries, those that Podman makes. */
enum { PULL_RETRIES = 3 };

static const char init_program[] = "/usr/bin/catatonit";

/* What systemd said to us and the runtime must not hear: crun acts on NOTIFY_SOCKET itself, and the
 * watchdog is the container's affair. */
static const char *const words_of_systemd[] = {
    "NOTIFY_SOCKET=",  "WATCHDOG_USEC=", "WATCHDOG_PID=",          "LISTEN_FDS=", "LISTEN_PID=",
    "LISTEN_FDNAMES=", "MAINPID=",       "CREDENTIALS_DIRECTORY=", NULL,
};

struct start {
    struct place *place;         /* borrowed */
    struct container *container; /* owned */
    struct system_calls calls;   /* owned */
    struct image *image;         /* owned */
    struct user *user;           /* owned */
    struct rootfs rootfs;        /* owned */
    struct userns userns;        /* owned */
    struct network network;      /* owned */
    struct pod pod;              /* owned */
    char **environment;          /* owned; of the programs that we run */
    struct volumes volumes;      /* owned */
    struct devices devices;      /* owned */
    char **of_service;           /* owned; variables that the container is handed on */
    char **of_files;             /* owned */
    char **of_secrets;           /* owned */
    char *local_time;            /* owned; NULL: the image's */
    bool usual_network;          /* that the unit does not say */
    struct utsname machine;
    int64_t answer_ms; /* how long a registry may take to answer a question */
};

static void start_done(struct start *start)
{
    container_free(start->container);
    system_calls_done(&start->calls);
    image_free(start->image);
    user_free(start->user);
    rootfs_done(&start->rootfs);
    userns_done(&start->userns);
    network_done(&start->network);
    pod_done(&start->pod);
    strv_free(start->environment);
    volumes_done(&start->volumes);
    devices_done(&start->devices);
    strv_free(start->of_service);
    strv_free(start->of_files);
    strv_free(start->of_secrets);
    free(start->local_time);
}

static bool is_word_of_systemd(const char *assignment)
{
    for (const char *const *word = words_of_systemd; *word; word++)
        if (text_starts_with(assignment, *word))
            return true;
    return false;
}

static int environment_build(char ***ret, struct error *err)
{
    autostrv environment = NULL;
    int r = 0;
    for (char **variable = environ; r == 0 && *variable; variable++)
        if (!is_word_of_systemd(*variable))
            r = strv_add(&environment, *variable, err);
    if (r == 0)
        *ret = take_ptr(environment);
    return r;
}

static int user_find(struct start *start, struct error *err)
{
    const char *said = NULL;
    int r = json_field_string_or(start->image->config, "User", "", &said, err);
    if (r < 0)
        return error_prefix(err, r, "configuration of the image");
    const struct container *container = start->container;
    return user_resolve_in(container->user ? container->user : said, container->groups,
                           start->place->root, &start->user, err);
}

/* The socket that systemd listens on, if the program inside is to speak for itself. */
static int notify_socket(const struct start *start, const char **ret, struct error *err)
{
    *ret = NULL;
    if (start->container->notify != CONTAINER_NOTIFY_YES)
        return 0;
    const char *socket = getenv("NOTIFY_SOCKET");
    if (!socket || *socket != '/')
        return error_set(err, -EINVAL,
                         "Notify=yes: NOTIFY_SOCKET=%s is no path that a container "
                         "could be given",
                         socket ? socket : "");
    *ret = socket;
    return 0;
}

/* Without WATCHDOG_PID: the process's number inside is another. */
static int watchdog_assignment(const struct start *start, char **ret, struct error *err)
{
    const char *usec = getenv("WATCHDOG_USEC");
    *ret = NULL;
    if (start->container->notify != CONTAINER_NOTIFY_YES || !usec)
        return 0;
    *ret = text_format("WATCHDOG_USEC=%s", usec);
    return *ret ? 0 : error_oom(err);
}

static bool wants_init(const struct container *container)
{
    return container->run_init || container->is_pod;
}

static int config_write(const struct start *start, struct error *err)
{
    autofree char *watchdog = NULL;
    autofree char *cgroup = NULL;
    const char *socket = NULL;
    int r = notify_socket(start, &socket, err);
    if (r == 0)
        r = watchdog_assignment(start, &watchdog, err);
    if (r == 0)
        r = runtime_cgroup(start->place, &cgroup, err);
    if (r < 0)
        return r;
    const struct id_maps *maps = start->userns.maps;
    const struct oci_input input = {
        .container = start->container,
        .image_config = start->image->config,
        .root_path = start->place->root,
        .user = &start->user->oci,
        .seccomp = start->calls.profile,
        .seccomp_filter = start->calls.filter,
        .cgroups_path = cgroup,
        .notify_socket = socket,
        .resolv_conf = start->network.resolv_conf,
        .hosts = start->network.hosts,
        .host_name_file = start->network.host_name,
        .network_namespace = start->network.net_namespace,
        .ipc_namespace = start->pod.ipc_namespace,
        .uts_namespace = start->pod.uts_namespace,
        .user_namespace = start->userns.path,
        .shared_memory = start->pod.shared_memory,
        .host_environment = (const char *const *)start->of_service,
        .file_environment = (const char *const *)start->of_files,
        .secret_environment = (const char *const *)start->of_secrets,
        .extra_environment = (const char *const[]){watchdog, NULL},
        .local_time = start->local_time,
        .init = wants_init(start->container) ? init_program : NULL,
        .mounts = start->volumes.list,
        .mount_count = start->volumes.count,
        .devices = start->devices.list,
        .device_count = start->devices.count,
        .uid_maps = maps ? maps->uids : NULL,
        .uid_map_count = maps ? maps->uid_count : 0,
        .gid_maps = maps ? maps->gids : NULL,
        .gid_map_count = maps ? maps->gid_count : 0,
    };
    autojson config = NULL;
    autofree char *text = NULL;
    r = oci_config(&input, &config, err);
    if (r == 0)
        r = json_write(config, &text, err);
    return r < 0 ? r : file_write(start->place->config, text, strlen(text), 0600, err);
}

/* A directory brings no configuration along. */
static int directory_find(struct start *start, struct error *err)
{
    start->image = calloc(1, sizeof(*start->image));
    if (start->image)
        start->image->config = json_object();
    if (!start->image || !start->image->config)
        return error_oom(err);
    return rootfs_of_directory(start->container->rootfs, start->container->rootfs_overlay,
                               &start->rootfs, err);
}

static struct images_request images_request_of(const struct start *start)
{
    const struct container *container = start->container;
    return (struct images_request){
        .said = container->image,
        .store = PLACE_IMAGE_STORE,
        .pins = start->place->images,
        .architecture = seccomp_go_architecture(start->machine.machine),
        .environment = start->environment,
        .pull = container->pull,
        .retries = container->pull_retries ? container->pull_retries : PULL_RETRIES,
        .retry_delay_ms = container->pull_retry_delay_ms,
        .answer_ms = start->answer_ms,
    };
}

static int image_find(struct start *start, struct error *err)
{
    if (start->container->rootfs)
        return directory_find(start, err);
    const struct images_request request = images_request_of(start);
    bool fetched = false;
    struct error why = { 0 };
    int r = images_get(&request, &start->image, &fetched, err);
    /* Whatever else was pulled before may have to go now; that it stays stops no container. */
    if (r == 0 && fetched && verb_gc(false, &why) < 0)
        log_warning("%s", why.text);
    return r < 0 ? r : rootfs_of_image(start->image, PLACE_IMAGE_STORE, &start->rootfs, err);
}

/* --- what the container is given beside its root --- */

/* The zone of the machine, or one of its database. */
static int local_time_find(struct start *start, struct error *err)
{
    const char *zone = start->container->timezone;
    if (!zone)
        return 0;
    start->local_time = strcmp(zone, "local") == 0 ? strdup("/etc/localtime")
                                                   : text_format("/usr/share/zoneinfo/%s", zone);
    if (!start->local_time)
        return error_oom(err);
    if (strstr(zone, "..") || access(start->local_time, R_OK) < 0)
        return error_set(err, -ENOENT, "Timezone=%s: this machine knows no such zone (%s)", zone,
                         start->local_time);
    return 0;
}

static int init_check(const struct start *start, struct error *err)
{
    if (wants_init(start->container) && access(init_program, X_OK) < 0)
        return error_set(err, -ENOENT, "%s: %s is not installed (Debian's package catatonit)",
                         start->container->is_pod ? "[Pod]" : "RunInit=", init_program);
    return 0;
}

static int variables_find(struct start *start, struct error *err)
{
    int r = variables_of_service(start->container, start->environment, &start->of_service, err);
    return r < 0 ? r
                 : variables_of_files(start->container, start->environment, &start->of_files, err);
}

static int belongings_make(struct start *start, struct error *err)
{
    struct container *container = start->container;
    const struct images_request images = images_request_of(start);
    int r = volumes_prepare(start->place, container, &images, err);
    if (r == 0)
        r = userns_show_mounts(&start->userns, start->place, container, &start->user->oci, err);
    if (r == 0)
        r = secrets_prepare(start->place, container, getenv("CREDENTIALS_DIRECTORY"),
                            &start->userns, &start->of_secrets, err);
    if (r == 0)
        r = volumes_list(container, &start->volumes, err);
    if (r == 0)
        r = devices_find(container, &start->devices, err);
    if (r == 0)
        r = variables_find(start, err);
    if (r == 0)
        r = local_time_find(start, err);
    return r < 0 ? r : init_check(start, err);
}

static int root_make(struct start *start, struct error *err)
{
    pid_t owner = start->container->pod ? start->network.owner : 0;
    int r = userns_make(start->place, start->container, owner, &start->userns, err);
    if (r == 0)
        r = userns_show_layers(&start->userns, start->place, start->rootfs.lowers, err);
    if (r == 0)
        r = rootfs_mount(start->place, &start->rootfs, err);
    if (r == 0)
        r = user_find(start, err);
    if (r == 0)
        r = userns_check_user(&start->userns, &start->user->oci, err);
    return r < 0 ? r : belongings_make(start, err);
}

/* The pod's own container has nothing but its first process, and no use for the pod's volumes. */
static int infra_complete(struct container *container, struct error *err)
{
    int r = file_make_dirs(PLACE_POD_ROOT, 0755, err);
    if (r < 0)
        return r;
    container_drop_mounts(container);
    container->rootfs = strdup(PLACE_POD_ROOT);
    container->rootfs_overlay = true;
    return container->rootfs ? 0 : error_oom(err);
}

/* Where the unit does not say, its pod or the machine's owner does. */
static int spec_complete(struct start *start, enum container_network_mode network,
                         struct error *err)
{
    struct container *container = start->container;
    int r = container->is_pod ? infra_complete(container, err)
            : container->pod  ? pod_complete(container, err)
                              : 0;
    if (r < 0)
        return r;
    if (container->network != CONTAINER_NETWORK_INVALID)
        return 0;
    start->usual_network = true;
    if (network == CONTAINER_NETWORK_BRIDGE)
        return container_use_bridge(container, err);
    container->network = network;
    return 0;
}

static int spec_find(struct start *start, struct error *err)
{
    autoptr(container_settings) settings = NULL;
    int r = container_settings_read(NULL, &settings, err);
    if (r < 0)
        return r;
    start->answer_ms = settings->registry_timeout_ms;
    r = place_use_runtime(start->place, settings->runtime, err);
    if (r == 0)
        r = place_read_spec(start->place, &start->container, err);
    return r < 0 ? r : spec_complete(start, settings->network, err);
}

/* Everything up to a bundle that the runtime can create from, but for its config.json. */
static int bundle_prepare(struct start *start, struct error *err)
{
    if (uname(&start->machine) < 0)
        return error_errno(err, -errno, "uname");
    if (!seccomp_go_architecture(start->machine.machine))
        return error_set(err, -EINVAL, "architecture %s is unknown", start->machine.machine);
    int r = spec_find(start, err);
    if (r == 0)
        r = system_calls_find(start->place, start->container, &start->machine, &start->calls, err);
    if (r == 0)
        r = image_find(start, err);
    if (r == 0)
        r = network_prepare(start->place, start->container, &start->network, err);
    if (r == 0)
        r = root_make(start, err);
    if (r == 0 && start->container->pod)
        r = pod_join(start->place, start->network.owner, &start->pod, err);
    return r;
}

static int create_here(const struct start *start, pid_t *ret, struct error *err)
{
    int r = config_write(start, err);
    if (r == 0)
        r = runtime_create(start->place, start->environment, ret, err);
    if (r < 0)
        system_calls_doubt(&start->calls);
    struct error why = { 0 };
    if (r == 0 && system_calls_keep(&start->calls, start->place, &why) < 0)
        log_warning("%s", why.text);
    return r;
}

/* The container begins in the cgroup that we are in: the service's, unless it has a scope. */
static int container_create(const struct start *start, pid_t *ret, struct error *err)
{
    autofree char *home = NULL;
    if (start->container->cgroups != CONTAINER_CGROUPS_ENABLED)
        return create_here(start, ret, err);
    int r = scope_enter(start->place, &home, err);
    if (r < 0)
        return r;
    r = create_here(start, ret, err);
    int left = scope_leave(home, r < 0 ? NULL : err);
    return r < 0 ? r : left;
}

/* One message, so that systemd never sees a ready service with us as its main process; and it must
 * have been read before the container runs, or one that ends at once takes its status along. */
static int tell_systemd(const struct start *start, pid_t pid, struct error *err)
{
    int r = sd_notifyf(0, "MAINPID=%d%s", (int)pid,
                       start->container->notify == CONTAINER_NOTIFY_NO ? "\nREADY=1" : "");
    if (r < 0)
        return error_errno(err, r, "telling systemd the main process");
    r = sd_notify_barrier(0, UINT64_MAX);
    return r < 0 ? error_errno(err, r, "waiting for systemd to know the main process") : 0;
}

/* Type=oneshot: the service's start is the container's life. Its first process is our child by
 * adoption, so its status is ours to give. */
static int wait_for_end(pid_t pid, int *ret_status, struct error *err)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(err, -errno, "waiting for the container");
    if (WIFSIGNALED(status)) {
        (void)signal(WTERMSIG(status), SIG_DFL);
        (void)raise(WTERMSIG(status));
    }
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return 0;
}

/* Written before systemd hears of the main process: musterd looks for it then. */
static int health_write(const struct start *start, pid_t pid, struct error *err)
{
    autoptr(health_check) check = NULL;
    autofree char *text = NULL;
    int r = health_check_make(start->container, start->image->config, &check, err);
    if (r < 0 || !check)
        return r;
    check->pid = pid;
    r = health_check_write(check, &text, err);
    return r < 0 ? r : file_write(start->place->health, text, strlen(text), 0600, err);
}

/* Likewise. A directory has no digest. */
static int image_write(const struct start *start, struct error *err)
{
    if (!start->image->digest)
        return 0;
    autofree char *line = text_format("%s\n", start->image->digest);
    return line ? file_write(start->place->image, line, strlen(line), 0644, err) : error_oom(err);
}

/* Whoever said nothing of a network is told where the one comes from that fails him. */
static int attach(const struct start *start, pid_t pid, struct error *err)
{
    struct error why = { 0 };
    int r = network_attach(start->place, start->container, &start->network, pid, &why);
    if (r < 0)
        (void)error_set(err, r, "%s%s", why.text,
                        start->usual_network
                            ? " (the network of units without Network=; Network=none does without "
                              "it, and so does network = none in " SYSCONFDIR
                              "/muster/container.conf)"
                            : "");
    return r;
}

static int container_run(struct start *start, int *ret_status, struct error *err)
{
    pid_t pid = 0;
    int r = environment_build(&start->environment, err);
    if (r == 0)
        r = bundle_prepare(start, err);
    bool oneshot = r == 0 && start->container->oneshot;
    if (oneshot && prctl(PR_SET_CHILD_SUBREAPER, 1L) < 0)
        r = error_errno(err, -errno, "adopting the container");
    if (r == 0)
        r = container_create(start, &pid, err);
    if (r == 0)
        r = attach(start, pid, err);
    if (r == 0 && !oneshot)
        r = health_write(start, pid, err);
    if (r == 0 && !oneshot)
        r = image_write(start, err);
    if (r == 0 && !oneshot)
        r = tell_systemd(start, pid, err);
    if (r == 0)
        r = runtime_start(start->place, start->environment, err);
    return r == 0 && oneshot ? wait_for_end(pid, ret_status, err) : r;
}

int verb_start(const char *unit, int *ret_status, struct error *err)
{
    autoptr(place) place = NULL;
    int r = place_new(unit, &place, err);
    if (r < 0)
        return r;
    if (!getenv("NOTIFY_SOCKET"))
        return error_set(err, -EINVAL,
                         "%s: NOTIFY_SOCKET is not set: systemd runs this, as "
                         "ExecStart= of a service of Type=notify",
                         unit);
    /* Clean up after a predecessor whose own clean-up failed or was killed. That isolates us too.
     */
    r = verb_clean(unit, err);
    if (r < 0)
        return r;
    __attribute__((cleanup(start_done))) struct start start = { .place = place };
    *ret_status = 0;
    r = container_run(&start, ret_status, err);
    if (r < 0) {
        (void)verb_clean(unit, NULL);
        return error_prefix(err, r, "%s", unit);
    }
    return 0;
}
