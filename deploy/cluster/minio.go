package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"syscall"
)

// minio is a MinIO server on one drive.
type minio struct {
	dir, program         string
	port                 int
	accessKey, secretKey string
}

func (m *minio) name() string               { return "minio" }
func (m *minio) stopSignal() syscall.Signal { return syscall.SIGTERM }

func (m *minio) prepare(context.Context) error {
	if err := installed(m.program); err != nil {
		return err
	}
	return os.MkdirAll(m.dir, 0o700)
}

func (m *minio) command() *exec.Cmd {
	cmd := exec.Command(m.program, "server", "--quiet", "--address", loopback(m.port), m.dir)
	cmd.Env = append(os.Environ(),
		"MINIO_ROOT_USER="+m.accessKey, "MINIO_ROOT_PASSWORD="+m.secretKey,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off", "GOMEMLIMIT=512MiB")
	return cmd
}

func (m *minio) ready(ctx context.Context) error {
	return answersOK(ctx, "http://"+loopback(m.port)+"/minio/health/cluster")
}

func (m *minio) environment() map[string]string {
	env := map[string]string{}
	for _, prefix := range []string{"VITASCOPE_S3_", "TEST_S3_"} {
		env[prefix+"ENDPOINT"] = loopback(m.port)
		env[prefix+"ACCESS_KEY"] = m.accessKey
		env[prefix+"SECRET_KEY"] = m.secretKey
	}
	return env
}

// answersOK is nil when url answers 200.
func answersOK(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}
