DROP TABLE worker_positions;
DROP TABLE model_promotions;
DROP TABLE prediction_webhook_log;
DROP TABLE webhook_deliveries;
DROP TABLE webhook_endpoints;
DROP TABLE prediction_stats;
DROP TABLE predictions;
DROP TABLE prediction_active_models;
