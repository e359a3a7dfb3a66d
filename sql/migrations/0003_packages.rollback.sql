DROP TABLE paper_equity_history;
DROP TABLE paper_positions;
DROP TABLE paper_accounts;
DROP TABLE candles;
DROP TABLE model_packages;
