// See the package documentation in confine.go.
#define _GNU_SOURCE
#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct vs_confinement vs_confined;

// ---- Landlock: headers of older systems lack what newer kernels can do.

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

enum {
	FS_EXECUTE = 1 << 0, FS_WRITE_FILE = 1 << 1, FS_READ_FILE = 1 << 2, FS_READ_DIR = 1 << 3,
	FS_REMOVE_DIR = 1 << 4, FS_REMOVE_FILE = 1 << 5, FS_MAKE_DIR = 1 << 7, FS_MAKE_REG = 1 << 8,
	FS_ABI1 = (1 << 13) - 1, FS_REFER = 1 << 13, FS_TRUNCATE = 1 << 14, FS_IOCTL_DEV = 1 << 15,
	NET_ALL = 3,   // bind and connect of TCP
	SCOPE_ALL = 3, // abstract Unix sockets and signals
};

struct ruleset_attr { uint64_t fs, net, scoped; };
struct path_attr { uint64_t allowed; int32_t parent_fd; } __attribute__((packed));

// landlock leaves the working directory to the process, and nothing else.
static int landlock(void) {
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
	if (abi < 1) return -1;
	struct ruleset_attr rules = {.fs = FS_ABI1};
	if (abi >= 2) rules.fs |= FS_REFER;
	if (abi >= 3) rules.fs |= FS_TRUNCATE;
	if (abi >= 4) rules.net = NET_ALL;
	if (abi >= 5) rules.fs |= FS_IOCTL_DEV;
	if (abi >= 6) rules.scoped = SCOPE_ALL;
	int ruleset = syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
	if (ruleset < 0) return -1;
	struct path_attr folder = {
		.allowed = (FS_WRITE_FILE | FS_READ_FILE | FS_READ_DIR | FS_REMOVE_DIR | FS_REMOVE_FILE |
			FS_MAKE_DIR | FS_MAKE_REG | FS_TRUNCATE) & rules.fs,
		.parent_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	int failed = folder.parent_fd < 0 ||
		syscall(SYS_landlock_add_rule, ruleset, 1, &folder, 0) != 0 ||
		syscall(SYS_landlock_restrict_self, ruleset, 0) != 0;
	int why = errno;
	close(folder.parent_fd);
	close(ruleset);
	errno = why;
	if (failed) return -1;
	vs_confined.landlock_abi = abi;
	return 0;
}

// ---- seccomp

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "no seccomp filter for this architecture"
#endif

// allowed is what Go's runtime, glibc's threads and memory, and file work in
// one folder need; arguments of those in guarded() are looked at first.
static const int allowed[] = {
	// files
	SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_lseek, SYS_close,
	SYS_openat, SYS_mkdirat, SYS_unlinkat, SYS_fstat, SYS_newfstatat, SYS_getdents64, SYS_ftruncate,
	SYS_fsync, SYS_fcntl, SYS_fadvise64, SYS_dup,
	// waiting
	SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_eventfd2, SYS_pipe2, SYS_ppoll,
	SYS_futex, SYS_nanosleep, SYS_clock_nanosleep, SYS_restart_syscall,
	// memory
	SYS_brk, SYS_munmap, SYS_mremap, SYS_madvise, SYS_mincore, SYS_membarrier,
	// threads and signals
	SYS_exit, SYS_exit_group, SYS_set_robust_list, SYS_rseq, SYS_sigaltstack, SYS_rt_sigaction,
	SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sched_yield, SYS_sched_getaffinity, SYS_sched_getparam,
	SYS_sched_getscheduler, SYS_sched_get_priority_max, SYS_sched_get_priority_min, SYS_getcpu,
	// facts
	SYS_getpid, SYS_gettid, SYS_getppid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid,
	SYS_clock_gettime, SYS_clock_getres, SYS_gettimeofday, SYS_times, SYS_getrusage, SYS_sysinfo,
	SYS_getrandom,
#ifdef SYS_epoll_pwait2
	SYS_epoll_pwait2,
#endif
#ifdef __x86_64__
	SYS_epoll_wait, SYS_poll, SYS_time,
#endif
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
// Words of an argument: both architectures are little-endian.
#define LOAD_ARG(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define LOAD_ARG_HIGH(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]) + 4)
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))
#define DENY SECCOMP_RET_ERRNO | EPERM
#define JUMP(op, value, yes, no) BPF_JUMP(BPF_JMP | BPF_##op | BPF_K, (value), (yes), (no))

#define NEW_NAMESPACES (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
	CLONE_NEWPID | CLONE_NEWNET)

static int seccomp(void) {
	static struct sock_filter code[64 + 2 * COUNT(allowed)];
	struct sock_filter guarded[] = {
		LOAD(arch),
		JUMP(JEQ, ARCH, 1, 0),
		RETURN(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
#ifdef __x86_64__
		JUMP(JGE, 0x40000000, 0, 1), // the x32 table
		RETURN(SECCOMP_RET_KILL_PROCESS),
#endif
		// glibc turns to clone, whose flags can be read, where clone3 is unknown.
		JUMP(JEQ, SYS_clone3, 0, 1),
		RETURN(SECCOMP_RET_ERRNO | ENOSYS),
		// Threads only, in the namespaces that are.
		JUMP(JEQ, SYS_clone, 0, 5),
		LOAD_ARG(0),
		JUMP(JSET, CLONE_THREAD, 0, 2),
		JUMP(JSET, NEW_NAMESPACES, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(DENY),
		// Signals to itself only.
		JUMP(JEQ, SYS_tgkill, 0, 4),
		LOAD_ARG(0),
		JUMP(JEQ, (uint32_t)getpid(), 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(DENY),
		// No new code: all there is to execute has been loaded.
		JUMP(JEQ, SYS_mmap, 1, 0),
		JUMP(JEQ, SYS_mprotect, 0, 4),
		LOAD_ARG(2),
		JUMP(JSET, PROT_EXEC, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(DENY),
		// Limits may be read.
		JUMP(JEQ, SYS_prlimit64, 0, 6),
		LOAD_ARG(2),
		JUMP(JEQ, 0, 0, 3),
		LOAD_ARG_HIGH(2),
		JUMP(JEQ, 0, 0, 1),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(DENY),
		// Threads and memory may be named, and this confinement be asked for.
		JUMP(JEQ, SYS_prctl, 0, 7),
		LOAD_ARG(0),
		JUMP(JEQ, PR_SET_NAME, 4, 0),
		JUMP(JEQ, 0x53564d41 /* PR_SET_VMA */, 3, 0),
		JUMP(JEQ, PR_GET_NO_NEW_PRIVS, 2, 0),
		JUMP(JEQ, PR_GET_SECCOMP, 1, 0),
		RETURN(DENY),
		RETURN(SECCOMP_RET_ALLOW),
	};
	_Static_assert(COUNT(guarded) < 63, "code is too small");
	memcpy(code, guarded, sizeof guarded);
	size_t n = COUNT(guarded);
	for (size_t i = 0; i < COUNT(allowed); i++) {
		code[n++] = (struct sock_filter)JUMP(JEQ, allowed[i], 0, 1);
		code[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	}
	code[n++] = (struct sock_filter)RETURN(DENY);
	struct sock_fprog program = {.len = n, .filter = code};
	// TSYNC: should a library have started a thread, it is confined too.
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0) return -1;
	vs_confined.seccomp = 1;
	return 0;
}

// ---- the whole

// root makes the working directory all there is, and gives up the one
// capability that this takes.
static int root(void) {
	if (chroot(".") != 0 || chdir("/") != 0) return -1;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	if (syscall(SYS_capset, &header, none) != 0) return -1;
	vs_confined.root = 1;
	return 0;
}

static int no_new_privs(void) {
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
	vs_confined.no_new_privs = 1;
	return 0;
}

// confine runs before main, and so before Go's runtime starts a thread.
__attribute__((constructor)) static void confine(int argc, char **argv, char **envp) {
	(void)envp;
	if (argc != 2) return;
	int strict = strcmp(argv[1], VS_CONFINED) == 0;
	if (!strict && strcmp(argv[1], VS_INSECURE) != 0) return;
	vs_confined.asked = 1;
	prctl(PR_SET_NAME, "vitascope-media", 0, 0, 0);
	close(VS_PROGRAM_FD);
	struct { const char *name; int (*apply)(void); } layers[] = {
		{"root folder", root}, {"no_new_privs", no_new_privs}, {"Landlock", landlock}, {"seccomp", seccomp},
	};
	for (size_t i = 0; i < COUNT(layers); i++) {
		if (layers[i].apply() == 0 || !strict) continue;
		dprintf(2, "cannot be confined: %s: %s\n", layers[i].name, strerror(errno));
		_exit(1);
	}
}
