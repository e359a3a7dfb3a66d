"""The process that does the work of packages: validation, warm-up, trading on candles."""
