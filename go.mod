module github.com/mailstead/mailstead

go 1.26
