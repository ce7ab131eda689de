package blob

import (
	"context"
	"fmt"
	"io"

	"github.com/minio/minio-go/v7"
)

// Part is one piece of an object that is being put together; see StartParts.
type Part struct {
	Number int // from 1
	Size   int64
	ETag   string
}

// StartParts begins an object that arrives in parts and returns the id of that
// work. Nothing shows under key until CompleteParts.
func (s *Store) StartParts(ctx context.Context, key, contentType string) (string, error) {
	core := minio.Core{Client: s.client}
	id, err := core.NewMultipartUpload(ctx, s.bucket, key, minio.PutObjectOptions{ContentType: contentType})
	if err != nil {
		return "", fmt.Errorf("start parts of %s: %w", key, err)
	}
	return id, nil
}

// PutPart stores a part, replacing an earlier one of that number. S3 wants at
// least 5 MiB in every part but the last.
func (s *Store) PutPart(ctx context.Context, key, id string, number int, r io.Reader, size int64) error {
	core := minio.Core{Client: s.client}
	if _, err := core.PutObjectPart(ctx, s.bucket, key, id, number, r, size, minio.PutObjectPartOptions{}); err != nil {
		return translateParts(fmt.Sprintf("put part %d of", number), key, err)
	}
	return nil
}

// Parts returns the parts stored so far by number, or ErrNotFound when the work
// was completed, aborted or never begun.
func (s *Store) Parts(ctx context.Context, key, id string) ([]Part, error) {
	core := minio.Core{Client: s.client}
	var parts []Part
	for marker := 0; ; {
		res, err := core.ListObjectParts(ctx, s.bucket, key, id, marker, 1000)
		if err != nil {
			return nil, translateParts("list parts of", key, err)
		}
		for _, p := range res.ObjectParts {
			parts = append(parts, Part{Number: p.PartNumber, Size: p.Size, ETag: p.ETag})
		}
		if !res.IsTruncated || res.NextPartNumberMarker <= marker {
			return parts, nil
		}
		marker = res.NextPartNumberMarker
	}
}

// CompleteParts makes the object of the given parts, in order. Doing it twice
// gives ErrNotFound on some servers (MinIO) and is fine on others (versitygw).
func (s *Store) CompleteParts(ctx context.Context, key, id string, parts []Part) error {
	core := minio.Core{Client: s.client}
	list := make([]minio.CompletePart, len(parts))
	for i, p := range parts {
		list[i] = minio.CompletePart{PartNumber: p.Number, ETag: p.ETag}
	}
	if _, err := core.CompleteMultipartUpload(ctx, s.bucket, key, id, list, minio.PutObjectOptions{}); err != nil {
		return translateParts("complete parts of", key, err)
	}
	return nil
}

// Started is an object begun with StartParts, neither completed nor aborted.
type Started struct{ Key, ID string }

// StartedParts lists what was begun under keys that begin with prefix.
func (s *Store) StartedParts(ctx context.Context, prefix string) ([]Started, error) {
	ctx, cancel := context.WithCancel(ctx) // stops the lister when we return early
	defer cancel()
	var list []Started
	for up := range s.client.ListIncompleteUploads(ctx, s.bucket, prefix, true) {
		if up.Err != nil {
			return nil, fmt.Errorf("list parts under %s: %w", prefix, up.Err)
		}
		list = append(list, Started{Key: up.Key, ID: up.UploadID})
	}
	return list, nil
}

// AbortParts throws away what StartedParts lists. Nothing there is not an error.
func (s *Store) AbortParts(ctx context.Context, prefix string) error {
	list, err := s.StartedParts(ctx, prefix)
	if err != nil {
		return err
	}
	core := minio.Core{Client: s.client}
	for _, up := range list {
		err := core.AbortMultipartUpload(ctx, s.bucket, up.Key, up.ID)
		if err != nil && minio.ToErrorResponse(err).Code != "NoSuchUpload" {
			return fmt.Errorf("abort parts of %s: %w", up.Key, err)
		}
	}
	return nil
}

func translateParts(op, key string, err error) error {
	if minio.ToErrorResponse(err).Code == "NoSuchUpload" {
		return fmt.Errorf("%s %s: %w", op, key, ErrNotFound)
	}
	return translate(op, key, err)
}
