module github.com/mailstead/mailstead/internal/itest

go 1.26

replace github.com/mailstead/mailstead => ../..
