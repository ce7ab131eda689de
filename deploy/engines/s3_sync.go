package engines

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3response"
)

// syncedPosix is versitygw's posix backend that has written objects on disk,
// not only in the page cache, before it acknowledges them. The backend itself
// never syncs: it survives a crash of the process but not a loss of power.
//
// Deletions are not synced: one that is lost brings an object back that
// nothing refers to any more.
type syncedPosix struct {
	*posix.Posix
	objects string
	sidecar string // folder of metadata files, empty with extended attributes
}

// CreateBucket makes a bucket and syncs the folder that lists it.
func (p *syncedPosix) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	if err := p.Posix.CreateBucket(ctx, in, acl); err != nil {
		return err
	}
	return p.syncPath(*in.Bucket)
}

// PutObject writes an object and syncs it.
func (p *syncedPosix) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	out, err := p.Posix.PutObject(ctx, in)
	if err == nil {
		err = p.syncPath(*in.Bucket, *in.Key)
	}
	return out, err
}

// CopyObject copies an object and syncs the copy.
func (p *syncedPosix) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	out, err := p.Posix.CopyObject(ctx, in)
	if err == nil {
		err = p.syncPath(*in.Bucket, *in.Key)
	}
	return out, err
}

// UploadPart writes a part and syncs it, so that a resumed upload can rely on
// the parts listed.
func (p *syncedPosix) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	out, err := p.Posix.UploadPart(ctx, in)
	if err == nil {
		err = p.syncPart(*in.Bucket, *in.Key, *in.UploadId, *in.PartNumber)
	}
	return out, err
}

// UploadPartCopy copies a part and syncs it.
func (p *syncedPosix) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	out, err := p.Posix.UploadPartCopy(ctx, in)
	if err == nil {
		err = p.syncPart(*in.Bucket, *in.Key, *in.UploadId, *in.PartNumber)
	}
	return out, err
}

// CompleteMultipartUpload joins the parts to an object and syncs it.
func (p *syncedPosix) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	out, version, err := p.Posix.CompleteMultipartUpload(ctx, in)
	if err == nil {
		err = p.syncPath(*in.Bucket, *in.Key)
	}
	return out, version, err
}

// syncPart syncs an uploaded part, at the place where posix keeps it.
func (p *syncedPosix) syncPart(bucket, key, uploadID string, number int32) error {
	return p.syncPath(bucket, posix.MetaTmpMultipartDir, fmt.Sprintf("%x", sha256.Sum256([]byte(key))),
		uploadID, strconv.Itoa(int(number)))
}

// syncPath syncs a file and every folder on the way to it, since any of them
// may be new, and its metadata files if it has some. A file that has meanwhile
// been deleted or replaced by another request is no error.
func (p *syncedPosix) syncPath(elem ...string) error {
	path := filepath.Join(append([]string{p.objects}, elem...)...)
	if err := syncUpTo(p.objects, path); err != nil {
		return err
	}
	if p.sidecar == "" {
		return nil
	}
	attributes := filepath.Join(append(append([]string{p.sidecar}, elem...), "meta")...)
	files, err := os.ReadDir(attributes)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("sync metadata: %w", err)
	}
	for _, f := range files {
		if err := syncOne(filepath.Join(attributes, f.Name())); err != nil {
			return err
		}
	}
	return syncUpTo(p.sidecar, attributes)
}

// syncUpTo syncs path and its parents, root included.
func syncUpTo(root, path string) error {
	for {
		if err := syncOne(path); err != nil {
			return err
		}
		if path == root || len(path) <= len(root) {
			return nil
		}
		path = filepath.Dir(path)
	}
}

func syncOne(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", path, err)
	}
	return nil
}
