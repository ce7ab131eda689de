// What the confinement came to, and the words that ask for it.
#define VS_CONFINED "confined"
#define VS_INSECURE "insecure"
// The program itself, by which it was executed: see package child.
#define VS_PROGRAM_FD 4

struct vs_confinement {
	int asked, root, no_new_privs, landlock_abi, seccomp;
};
extern struct vs_confinement vs_confined;
