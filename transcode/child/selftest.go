package child

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// ErrNoSandbox is returned when a layer of the sandbox is missing on this
// machine, with the layer's name, or when something got through.
var ErrNoSandbox = errors.New("media cannot be confined")

// Confinement tells which layers are in place around a child.
type Confinement struct {
	// Root says that its folder is all it can name, which takes namespaces.
	Root       bool `json:"root"`
	NoNewPrivs bool `json:"no_new_privs"`
	// LandlockABI is the kernel's level of Landlock, zero for none. From 4 on
	// it denies TCP too, from 6 on signals and abstract Unix sockets.
	LandlockABI int  `json:"landlock_abi"`
	Seccomp     bool `json:"seccomp"`
}

// SelfTestSpec says what a child is to try.
type SelfTestSpec struct {
	TCPPort    int    `json:"tcp_port"`    // of a listener on 127.0.0.1
	UnixSocket string `json:"unix_socket"` // path of a listener
	Outside    string `json:"outside"`     // a folder that anyone may write to
}

// Escape is what came of a child's attempts.
type Escape struct {
	Confinement Confinement `json:"confinement"`
	Attempts    []Attempt   `json:"attempts"`
}

// Attempt is one thing that a confined child must not be able to do.
type Attempt struct {
	Name   string `json:"name"`
	Denied bool   `json:"denied"`
	How    string `json:"how,omitempty"` // the system's word for it
}

// Finding is one line of a self-test.
type Finding struct {
	What string
	Err  error  // nil: in place, or denied
	Mend string // what to do otherwise
}

// SelfTest is the result of [Runner.SelfTest].
type SelfTest struct {
	Findings []Finding
	Denied   int // attempts that were denied
	Attempts int
}

// Err joins what is missing, wrapped in [ErrNoSandbox]; nil when all is well.
func (s *SelfTest) Err() error {
	var missing []string
	for _, f := range s.Findings {
		if f.Err != nil {
			missing = append(missing, f.What+": "+f.Err.Error())
		}
	}
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", ErrNoSandbox, strings.Join(missing, "; "))
}

// SelfTest starts a child as for a job, lets it try what it must not be able
// to do, and looks from outside whether it did. The error is of the machinery;
// what is missing is in the result. It takes as long as a probe.
func (r *Runner) SelfTest(ctx context.Context) (*SelfTest, error) {
	bait, err := newBait(r.temp)
	if err != nil {
		return nil, fmt.Errorf("self-test: %w", err)
	}
	escape, shared, err := r.escape(ctx, bait)
	took, closeErr := bait.close()
	if err = errors.Join(err, closeErr); err != nil {
		return nil, fmt.Errorf("self-test: %w", err)
	}
	result := &SelfTest{Findings: layerFindings(escape.Confinement, shared), Attempts: len(escape.Attempts)}
	memory := "the memory of media children is watched; there is no cgroup for it"
	if r.groups.dir != "" {
		memory = "media children have a cgroup that bounds their memory"
	}
	result.Findings = append(result.Findings, Finding{What: memory})
	for _, a := range escape.Attempts {
		f := Finding{What: "a media child cannot " + a.Name, Mend: "Mend the layers above. If they are all in place, this is a defect: please report it."}
		if a.Denied {
			result.Denied++
		} else {
			f.Err = errors.New("it can")
		}
		result.Findings = append(result.Findings, f)
	}
	if took != "" {
		result.Findings = append(result.Findings, Finding{
			What: "nothing of a media child was seen outside", Err: errors.New(took), Mend: "This is a defect: please report it."})
	}
	return result, nil
}

// escape runs the attempts with whatever layers there are, to hear of all that
// are missing, not of the first. It also returns why there are no namespaces.
func (r *Runner) escape(ctx context.Context, b *bait) (escape *Escape, shared, err error) {
	lenient := *r
	lenient.insecure = true
	job := Job{Op: OpSelfTest, SelfTest: &b.spec}
	shared, err = lenient.runLimited(ctx, job, LimitsFor(job), noInput{}, HandlerFunc(func(_ context.Context, e Event, _ *os.File) error {
		escape = e.SelfTest
		return nil
	}))
	if err == nil && escape == nil {
		err = errors.New("no answer")
	}
	return escape, shared, err
}

func layerFindings(c Confinement, shared error) []Finding {
	unless := func(there bool) error {
		if !there {
			return errors.New("not available here")
		}
		return nil
	}
	layer := func(err error, what, mend string) Finding {
		return Finding{What: what, Err: err, Mend: mend + " Or accept the risk with --insecure-media."}
	}
	landlock := "media children are confined by Landlock"
	if c.LandlockABI > 0 {
		landlock += fmt.Sprintf(" (level %d)", c.LandlockABI)
	}
	return []Finding{
		layer(shared, "media children have namespaces of their own",
			"Allow user namespaces: sysctl user.max_user_namespaces above 0, kernel.unprivileged_userns_clone=1 on Debian, "+
				"kernel.apparmor_restrict_unprivileged_userns=0 on Ubuntu; in a container also its seccomp profile, such as --security-opt seccomp=unconfined."),
		layer(unless(c.Root), "media children have their job folder for root", "This takes namespaces: see there."),
		layer(unless(c.NoNewPrivs), "media children cannot gain privileges", "Use Linux 3.5 or newer."),
		layer(unless(c.LandlockABI > 0), landlock, "Use Linux 5.13 or newer, booted with landlock in its list of security modules."),
		layer(unless(c.Seccomp), "media children have a filter of system calls (seccomp)", "Use a kernel with CONFIG_SECCOMP_FILTER."),
	}
}

// bait is what a child is to try to reach, and whether it did.
type bait struct {
	spec      SelfTestSpec
	listeners []net.Listener
	hits      int
}

// maxSocketPath is the longest path that a Unix socket can have.
const maxSocketPath = 100

func newBait(temp string) (*bait, error) {
	if len(temp)+40 > maxSocketPath {
		temp = ""
	}
	dir, err := os.MkdirTemp(temp, "vitascope-bait-")
	if err != nil {
		return nil, err
	}
	b := &bait{spec: SelfTestSpec{Outside: dir, UnixSocket: filepath.Join(dir, "socket")}}
	if err := b.listen(); err != nil {
		_, closeErr := b.close()
		return nil, errors.Join(err, closeErr)
	}
	return b, nil
}

// listen opens the listeners and the folder: only the sandbox is in the way.
func (b *bait) listen() error {
	tcp, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b.listeners = append(b.listeners, tcp)
	b.spec.TCPPort = tcp.Addr().(*net.TCPAddr).Port
	local, err := net.Listen("unix", b.spec.UnixSocket)
	if err != nil {
		return err
	}
	b.listeners = append(b.listeners, local)
	return errors.Join(os.Chmod(b.spec.UnixSocket, 0o777), os.Chmod(b.spec.Outside, 0o777))
}

// close counts who connected and what was written, and says so.
func (b *bait) close() (took string, err error) {
	for _, l := range b.listeners {
		// A child that is gone may have left a connection to be accepted.
		if d, ok := l.(interface{ SetDeadline(time.Time) error }); ok && d.SetDeadline(time.Now().Add(time.Millisecond)) == nil {
			if conn, acceptErr := l.Accept(); acceptErr == nil {
				b.hits++
				err = errors.Join(err, conn.Close())
			}
		}
		err = errors.Join(err, l.Close())
	}
	written, readErr := os.ReadDir(b.spec.Outside)
	for _, entry := range written {
		if entry.Name() != filepath.Base(b.spec.UnixSocket) {
			took = "a file was written"
		}
	}
	if b.hits > 0 {
		took = "a listener was reached"
	}
	return took, errors.Join(err, readErr, os.RemoveAll(b.spec.Outside))
}

// noInput is the media of a self-test.
type noInput struct{}

func (noInput) Size() int64 { return 0 }

func (noInput) ReadAt(context.Context, []byte, int64) (int, error) { return 0, nil }
