DROP TABLE ml_jobs;
DROP TABLE ml_comparisons;
DROP TABLE ml_test_results;
DROP TABLE ml_models;
DROP TABLE ref_model_types;
