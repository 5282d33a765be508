module github.com/mailstead/mailstead/internal/itest

go 1.26

require github.com/mailstead/mailstead v0.0.0

replace github.com/mailstead/mailstead => ../..
