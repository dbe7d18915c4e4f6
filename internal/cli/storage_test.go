package cli_test

import "testing"

func TestStorage(t *testing.T) {
	for name, c := range map[string]struct{ document, want string }{
		"a new hub": {
			`{"log_bytes":0,"chunk_bytes":0,"database_bytes":98304,"free_bytes":21474836480,"bytes_per_day":0,"full_on":null,"keep_raw_days":null,"oldest_raw":null}`,
			"log        0.0 KiB\nchunks     0.0 KiB\ndatabase   96.0 KiB\nfree       20.0 GiB\n" +
				"growth     not known before a day is sealed\nfull on    not known before a day is sealed\nreadings   none, kept for ever\n",
		},
		"much room": {
			`{"log_bytes":12582912,"chunk_bytes":211812352,"database_bytes":14889779,"free_bytes":21474836480,"bytes_per_day":629145,"full_on":null,"keep_raw_days":730,"oldest_raw":"2026-11-01"}`,
			"log        12.0 MiB\nchunks     202.0 MiB\ndatabase   14.2 MiB\nfree       20.0 GiB\n" +
				"growth     0.6 MiB a day\nfull on    not within 50 years\nreadings   since 2026-11-01, kept for 730 days at least\n",
		},
		"hardly any": {
			`{"free_bytes":6291456,"bytes_per_day":629145,"full_on":"2026-12-03","oldest_raw":"2026-11-01"}`,
			"log        0.0 KiB\nchunks     0.0 KiB\ndatabase   0.0 KiB\nfree       6.0 MiB\n" +
				"growth     0.6 MiB a day\nfull on    2026-12-03\nreadings   since 2026-11-01, kept for ever\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s, flag := serve(t, hub{storage: c.document})
			check(t, s.run(t, "storage", flag), result{Stdout: c.want})
			if got := s.run(t, "storage", "--json", flag); got.Code != 0 || got.Stdout == "" {
				t.Errorf("as JSON: %+v", got)
			}
		})
	}
}
