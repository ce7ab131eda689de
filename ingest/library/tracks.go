package library

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/vitascope/vitascope/internal/captions"
	"github.com/vitascope/vitascope/internal/httpx"
)

// registerTracks adds the operations on what goes with a media: captions, chapters
// and its poster.
func (s *Service) registerTracks(api huma.API) {
	tags := []string{"Captions, chapters, poster"}
	const one = "/v1/media/{id}"
	httpx.Register(api, huma.Operation{OperationID: "list-captions", Method: http.MethodGet, Path: one + "/captions", Tags: tags,
		Summary: "A media's caption tracks"}, s.listCaptions)
	httpx.Register(api, huma.Operation{OperationID: "get-captions", Method: http.MethodGet, Path: one + "/captions/{language}", Tags: tags,
		Summary: "A caption track, as WebVTT"}, s.getCaptions)
	httpx.Register(api, huma.Operation{OperationID: "put-captions", Method: http.MethodPut, Path: one + "/captions/{language}", Tags: tags,
		MaxBodyBytes: captions.MaxBytes + 1, Summary: "Upload captions in a language, SubRip or WebVTT"}, s.putCaptions)
	httpx.Register(api, huma.Operation{OperationID: "delete-captions", Method: http.MethodDelete, Path: one + "/captions/{language}", Tags: tags,
		DefaultStatus: http.StatusNoContent, Summary: "Remove captions in a language"}, s.deleteCaptions)
	httpx.Register(api, huma.Operation{OperationID: "get-chapters", Method: http.MethodGet, Path: one + "/chapters", Tags: tags,
		Summary: "A media's chapters"}, s.getChapters)
	httpx.Register(api, huma.Operation{OperationID: "put-chapters", Method: http.MethodPut, Path: one + "/chapters", Tags: tags,
		Summary: "Replace a media's chapters"}, s.putChapters)
	httpx.Register(api, huma.Operation{OperationID: "choose-poster", Method: http.MethodPut, Path: one + "/poster", Tags: tags,
		DefaultStatus: http.StatusAccepted, Summary: "Make the frame at a moment the poster"}, s.choosePoster)
	httpx.Register(api, huma.Operation{OperationID: "upload-poster", Method: http.MethodPut, Path: one + "/poster/picture", Tags: tags,
		MaxBodyBytes: maxPosterBytes, DefaultStatus: http.StatusAccepted, Summary: "Upload a picture as the poster"}, s.uploadPoster)
}
