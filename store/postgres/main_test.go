package postgres_test

import (
	"os"
	"testing"

	"github.com/mailstead/mailstead/store/postgres/pgtest"
)

var pg pgtest.Shared

func TestMain(m *testing.M) { os.Exit(pg.Run(m)) }
