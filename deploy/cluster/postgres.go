package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgres is a PostgreSQL server that trusts every client on loopback.
type postgres struct {
	dir  string
	port int
	bin  string // folder of initdb and postgres
	as   *syscall.Credential
}

const (
	postgresUser      = "vitascope"
	postgresDatabase  = "vitascope"
	postgresTests     = "tests" // apart from the application's, which tests would fill
	duplicateDatabase = "42P04" // SQLSTATE
	unprivilegedUser  = "postgres"
)

func (p *postgres) name() string { return "postgres" }

// stopSignal asks for a fast shutdown: clients are cut off, not waited for.
func (p *postgres) stopSignal() syscall.Signal { return syscall.SIGINT }

func (p *postgres) prepare(ctx context.Context) error {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // Debian keeps them off the PATH
	if len(found) == 0 {
		return errors.New("no initdb in /usr/lib/postgresql: run deploy/cluster/install.sh first")
	}
	slices.Sort(found)
	p.bin = filepath.Dir(found[len(found)-1])
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return err
	}
	if err := p.stepDown(); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.dir, "PG_VERSION")); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return runOnce(p.run(ctx, "initdb", "--pgdata", p.dir, "--username", postgresUser, "--auth", "trust",
		"--encoding", "UTF8", "--no-locale", "--no-sync"))
}

// stepDown gives the data folder to an unprivileged user when we are root:
// PostgreSQL refuses to run as root.
func (p *postgres) stepDown() error {
	if os.Geteuid() != 0 {
		return nil
	}
	u, err := user.Lookup(unprivilegedUser)
	if err != nil {
		return fmt.Errorf("PostgreSQL does not run as root: %w", err)
	}
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		return err
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		return err
	}
	p.as = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return os.Chown(p.dir, int(uid), int(gid))
}

func (p *postgres) run(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, program), args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as}
	return cmd
}

func (p *postgres) command() *exec.Cmd {
	return p.run(context.Background(), "postgres", "-D", p.dir, "-h", "127.0.0.1", "-p", strconv.Itoa(p.port),
		"-c", "unix_socket_directories=", "-c", "max_connections=300")
}

func (p *postgres) dsn(database string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable", postgresUser, loopback(p.port), database)
}

// ready creates the databases once the server answers.
func (p *postgres) ready(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, p.dsn("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, name := range []string{postgresDatabase, postgresTests} {
		_, err := conn.Exec(ctx, "CREATE DATABASE "+name)
		if pgErr, ok := errors.AsType[*pgconn.PgError](err); ok && pgErr.Code == duplicateDatabase {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *postgres) environment() map[string]string {
	return map[string]string{
		"VITASCOPE_CATALOG": p.dsn(postgresDatabase),
		"TEST_POSTGRES_DSN": p.dsn(postgresTests),
	}
}
